//! The calls of librdkafka that rust-rdkafka has no safe API for: batch reads from an own queue,
//! topic ids, and a start that carries a leader epoch.
//!
//! With the allocator's, the only file with `unsafe`. Everything here owns what it allocates, hands
//! out borrows that end before it frees, and knows nothing of tables or tasks.

#![expect(unsafe_code, reason = "librdkafka has no safe wrapper of these")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::time::Duration;

use eddy_engine::TimestampType;
use rdkafka::bindings as sys;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::kafka::admin::Description;

/// A queue of our own that the queues of partitions are forwarded to. It must be dropped before its
/// client. Reading from it never serves a rebalance, which the consumer's main queue would.
pub(super) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    messages: Vec<*mut sys::rd_kafka_message_t>,
}

// SAFETY: librdkafka's queues may be used from any thread; `&mut self` keeps two batch reads of one
// consumer from running at once, which librdkafka forbids. The pointers in `messages` are only
// valid, and only used, while a `Batch` borrows the queue.
unsafe impl Send for Queue {}

impl Queue {
    /// A new queue that yields at most `capacity` messages a read.
    pub(super) fn new<C: ClientContext>(client: &Client<C>, capacity: usize) -> Option<Self> {
        // SAFETY: the client's pointer is valid while `client` is borrowed.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_new(client.native_ptr()) })?;
        Some(Self {
            queue,
            messages: Vec::with_capacity(capacity.max(1)),
        })
    }

    /// Sends what is fetched of a partition here from now on. Call it before the partition is
    /// assigned: librdkafka then leaves the forwarding alone.
    pub(super) fn forward<C: ClientContext>(
        &self,
        client: &Client<C>,
        topic: &str,
        partition: i32,
    ) -> bool {
        let Ok(topic) = CString::new(topic) else {
            return false;
        };
        // SAFETY: all three pointers are valid for the call; the partition's queue is a counted
        // reference that is given back once the forwarding is set.
        unsafe {
            let source =
                sys::rd_kafka_queue_get_partition(client.native_ptr(), topic.as_ptr(), partition);
            if source.is_null() {
                return false;
            }
            sys::rd_kafka_queue_forward(source, self.queue.as_ptr());
            sys::rd_kafka_queue_destroy(source);
        }
        true
    }

    /// Waits up to `first` for a message, then up to `more` for as many as there is room for.
    pub(super) fn read(&mut self, first: Duration, more: Duration) -> Batch<'_> {
        self.messages.clear();
        // A read of a batch waits for a full one, whatever there is; that of one message wakes.
        for (timeout, most) in [(first, 1), (more, self.messages.capacity() - 1)] {
            let room = self.messages.spare_capacity_mut().as_mut_ptr().cast();
            let (queue, timeout) = (self.queue.as_ptr(), milliseconds(timeout));
            // SAFETY: the vector has room for `most` more pointers; librdkafka fills `count` with
            // messages that become ours. The exclusive borrow keeps a second read away.
            unsafe {
                let count = sys::rd_kafka_consume_batch_queue(queue, timeout, room, most);
                let read = usize::try_from(count).unwrap_or(0);
                self.messages.set_len(self.messages.len() + read);
            }
        }
        Batch { queue: self }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue is ours and no batch borrows it any more.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) }
    }
}

/// The messages of one read; given back to librdkafka when dropped.
pub(crate) struct Batch<'q> {
    queue: &'q mut Queue,
}

impl Batch<'_> {
    /// The messages, in the order in which each partition has them.
    pub(crate) fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        self.queue.messages.iter().map(|message| Message {
            message: *message,
            batch: PhantomData,
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.queue.messages.len()
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for message in self.queue.messages.drain(..) {
            // SAFETY: each message came from the batch read and is destroyed exactly once; every
            // borrow of it ended with the borrow of this batch.
            unsafe { sys::rd_kafka_message_destroy(message) }
        }
    }
}

/// One message, read in place, or an error that librdkafka reports for a partition.
#[derive(Clone, Copy)]
pub(crate) struct Message<'b> {
    message: *mut sys::rd_kafka_message_t,
    batch: PhantomData<&'b ()>,
}

impl<'b> Message<'b> {
    fn fields(&self) -> &'b sys::rd_kafka_message_t {
        // SAFETY: the message lives as long as its batch, which `'b` borrows.
        unsafe { &*self.message }
    }

    /// The error in place of a message.
    pub(crate) fn error(&self) -> Option<RDKafkaErrorCode> {
        let code = self.fields().err;
        (code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then(|| code.into())
    }

    /// What librdkafka says about the error.
    pub(crate) fn error_text(&self) -> String {
        // SAFETY: the text belongs to the message or is static.
        unsafe { owned_text(sys::rd_kafka_message_errstr(self.message)) }
    }

    /// The topic's name; `None` for an error of no partition.
    pub(crate) fn topic(&self) -> Option<&'b str> {
        let topic = self.fields().rkt;
        if topic.is_null() {
            return None;
        }
        // SAFETY: the message holds a reference to its topic, whose name never changes.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_topic_name(topic)) };
        name.to_str().ok()
    }

    pub(crate) fn partition(&self) -> i32 {
        self.fields().partition
    }

    pub(crate) fn offset(&self) -> i64 {
        self.fields().offset
    }

    /// The key; null and empty differ.
    pub(crate) fn key(&self) -> Option<&'b [u8]> {
        let fields = self.fields();
        // SAFETY: librdkafka gives the key's address and length; they live as long as the message.
        unsafe { bytes(fields.key, fields.key_len) }
    }

    /// The value; null and empty differ.
    pub(crate) fn value(&self) -> Option<&'b [u8]> {
        let fields = self.fields();
        // SAFETY: as for the key.
        unsafe { bytes(fields.payload, fields.len) }
    }

    /// Milliseconds since the Unix epoch, and who set them.
    pub(crate) fn timestamp(&self) -> (Option<i64>, TimestampType) {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid and `kind` outlives the call.
        let at = unsafe { sys::rd_kafka_message_timestamp(self.message, &mut kind) };
        use sys::rd_kafka_timestamp_type_t as kinds;
        match kind {
            kinds::RD_KAFKA_TIMESTAMP_CREATE_TIME => (Some(at), TimestampType::Create),
            kinds::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => (Some(at), TimestampType::Append),
            kinds::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => (None, TimestampType::None),
        }
    }

    /// The leader epoch in which the record was written, where the broker says it.
    pub(crate) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is valid.
        let epoch = unsafe { sys::rd_kafka_message_leader_epoch(self.message) };
        (epoch >= 0).then_some(epoch)
    }

    /// Reads the headers in their order into `headers`, replacing what it held.
    pub(crate) fn headers(&self, headers: &mut Headers<'b>) {
        headers.clear();
        let mut list = ptr::null_mut();
        // SAFETY: the list stays the message's own and lives as long as it; the out pointers are
        // valid for each call, and a header's name and value live as long as the list.
        unsafe {
            let found = sys::rd_kafka_message_headers(self.message, &mut list);
            if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return;
            }
            for index in 0.. {
                let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                let found =
                    sys::rd_kafka_header_get_all(list, index, &mut name, &mut value, &mut size);
                if found != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return;
                }
                headers.push((CStr::from_ptr(name).to_bytes(), bytes(value, size)));
            }
        }
    }
}

impl<'b> From<&'b BorrowedMessage<'_>> for Message<'b> {
    fn from(message: &'b BorrowedMessage<'_>) -> Self {
        let (message, batch) = (message.ptr(), PhantomData);
        Self { message, batch }
    }
}

/// The headers of a message: name and value, as the bytes that they are.
pub(crate) type Headers<'b> = Vec<(&'b [u8], Option<&'b [u8]>)>;

/// Asks one broker about `topics` and waits up to `timeout` for the answer. Any broker can answer;
/// naming one spares the wait for the cluster's controller, which the embedded broker lacks.
pub(super) fn describe_topics<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    topics: &[&str],
    timeout: Duration,
) -> Result<Vec<Description>, (RDKafkaErrorCode, String)> {
    let invalid = |why: &str| (RDKafkaErrorCode::InvalidArgument, why.to_owned());
    let names = topics.iter().map(|topic| CString::new(*topic));
    let names: Vec<CString> = names
        .collect::<Result<_, _>>()
        .map_err(|_| invalid("a topic's name holds a zero byte"))?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: every object made here is destroyed before the return, after the last use of what it
    // owns; the client outlives the calls, and librdkafka copies the names and the options.
    unsafe {
        let rk = client.native_ptr();
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let kind = sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = sys::rd_kafka_AdminOptions_new(rk, kind);
        let mut text = [0 as c_char; 256];
        let (why, room) = (text.as_mut_ptr(), text.len());
        let within = milliseconds(timeout);
        sys::rd_kafka_AdminOptions_set_request_timeout(options, within, why, room);
        sys::rd_kafka_AdminOptions_set_broker(options, broker, why, room);
        let queue = sys::rd_kafka_queue_new(rk);
        sys::rd_kafka_DescribeTopics(rk, collection, options, queue);
        // A little longer than the request may take, so that its own timeout is what is reported.
        let patience = timeout.saturating_add(Duration::from_secs(2));
        let event = sys::rd_kafka_queue_poll(queue, milliseconds(patience));
        let answer = read_descriptions(event);
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(collection);
        answer
    }
}

/// # Safety
/// `event` is null or a live event of a DescribeTopics request.
unsafe fn read_descriptions(
    event: *mut sys::rd_kafka_event_t,
) -> Result<Vec<Description>, (RDKafkaErrorCode, String)> {
    if event.is_null() {
        return Err((RDKafkaErrorCode::OperationTimedOut, "no answer".to_owned()));
    }
    // SAFETY: the caller's event is live; the result, its array and each description belong to it.
    unsafe {
        let error = sys::rd_kafka_event_error(event);
        if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = owned_text(sys::rd_kafka_event_error_string(event));
            return Err((error.into(), text));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        if result.is_null() {
            let text = "an unexpected answer".to_owned();
            return Err((RDKafkaErrorCode::BadMessage, text));
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        Ok((0..count)
            .map(|at| read_description(*topics.add(at)))
            .collect())
    }
}

/// # Safety
/// `topic` is a live description.
unsafe fn read_description(topic: *const sys::rd_kafka_TopicDescription_t) -> Description {
    // SAFETY: the name, the error, the id and the partitions belong to the live description.
    unsafe {
        let failure = sys::rd_kafka_TopicDescription_error(topic);
        let error = (!failure.is_null())
            .then(|| {
                let code = sys::rd_kafka_error_code(failure);
                (code, owned_text(sys::rd_kafka_error_string(failure)))
            })
            .filter(|(code, _)| *code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR)
            .map(|(code, text)| (code.into(), text));
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let id = (!id.is_null()).then(|| owned_text(sys::rd_kafka_Uuid_base64str(id)));
        let mut partitions = 0;
        sys::rd_kafka_TopicDescription_partitions(topic, &mut partitions);
        Description {
            name: owned_text(sys::rd_kafka_TopicDescription_name(topic)),
            error,
            id,
            partitions,
        }
    }
}

/// Gives an element of `list` the leader epoch that its offset was read in, so that the broker can
/// tell whether the log was cut below it since.
pub(super) fn set_leader_epoch(
    list: &mut TopicPartitionList,
    topic: &str,
    partition: i32,
    epoch: i32,
) {
    let Ok(topic) = CString::new(topic) else {
        return;
    };
    // SAFETY: the list is borrowed exclusively and the element found in it is used at once.
    unsafe {
        let element =
            sys::rd_kafka_topic_partition_list_find(list.ptr(), topic.as_ptr(), partition);
        if !element.is_null() {
            sys::rd_kafka_topic_partition_set_leader_epoch(element, epoch);
        }
    }
}

/// The consumer's next offset of each partition in `list` and its leader epoch, in the list's
/// order; below zero for those that it has not begun to read since the last seek. Also moved by
/// control records and aborted transactions (P4).
pub(super) fn positions<C: ClientContext>(
    client: &Client<C>,
    list: &mut TopicPartitionList,
) -> Vec<(i64, Option<i32>)> {
    // SAFETY: both pointers are valid; librdkafka writes the offsets into the elements, of which
    // the list says how many there are.
    unsafe {
        let native = list.ptr();
        sys::rd_kafka_position(client.native_ptr(), native);
        let count = usize::try_from((*native).cnt).unwrap_or(0);
        (0..count)
            .map(|at| {
                let element = (*native).elems.add(at);
                let epoch = sys::rd_kafka_topic_partition_get_leader_epoch(element);
                ((*element).offset, (epoch >= 0).then_some(epoch))
            })
            .collect()
    }
}

/// # Safety
/// `text` is null or a zero-terminated string that lives during the call.
unsafe fn owned_text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text).to_string_lossy() }.into_owned()
}

/// # Safety
/// `start` is null or points at `length` bytes that live for `'b`.
unsafe fn bytes<'b>(start: *const c_void, length: usize) -> Option<&'b [u8]> {
    // SAFETY: the caller's promise; null never gets here.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
pub(super) mod breaking {
    use super::{Client, ClientContext, sys};

    /// Makes the client believe that it broke for good, as nothing else does at will.
    pub(in crate::kafka) fn break_client<C: ClientContext>(client: &Client<C>) {
        let code = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        // SAFETY: both pointers are valid during the call, the text ends with a zero.
        unsafe {
            sys::rd_kafka_test_fatal_error(client.native_ptr(), code, c"a test".as_ptr());
        }
    }
}
