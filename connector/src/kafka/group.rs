//! Who of a group reads what, as the group's coordinator tells.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use crate::kafka::client::ClientLog;

/// A stable group: each member's id, and the partitions that it was given.
pub(crate) type Assignments = BTreeMap<String, Vec<(String, i32)>>;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The assignments of `group`; `None` while it rebalances, or where nobody can tell (a broker
/// without this request, a group of the newer protocol).
pub(super) fn assignments(client: &BaseConsumer<ClientLog>, group: &str) -> Option<Assignments> {
    let list = client.fetch_group_list(Some(group), TIMEOUT).ok()?;
    let found = list.groups().iter().find(|found| found.name() == group)?;
    if found.state() != "Stable" || found.protocol_type() != "consumer" {
        return None;
    }
    found
        .members()
        .iter()
        .map(|member| {
            let partitions = match member.assignment() {
                Some(bytes) if !bytes.is_empty() => assignment(bytes)?,
                _ => Vec::new(),
            };
            Some((member.id().to_owned(), partitions))
        })
        .collect()
}

/// The partitions of a `ConsumerProtocolAssignment` (Kafka's message of that name): a version, then
/// per topic its name and its partitions, all big-endian; what follows is of no interest.
fn assignment(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    let mut rest = bytes;
    take::<2>(&mut rest)?;
    let topics = i32::from_be_bytes(take(&mut rest)?);
    let mut partitions = Vec::new();
    for _ in 0..topics {
        let length = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
        let (name, behind) = rest.split_at_checked(length)?;
        rest = behind;
        let name = std::str::from_utf8(name).ok()?;
        let count = i32::from_be_bytes(take(&mut rest)?);
        for _ in 0..count {
            partitions.push((name.to_owned(), i32::from_be_bytes(take(&mut rest)?)));
        }
    }
    Some(partitions)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*head)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn an_assignment_lists_the_partitions_of_its_topics() {
        let bytes = b"\0\x01\0\0\0\x02\
            \0\x01a\0\0\0\x02\0\0\0\0\0\0\0\x03\
            \0\x02bc\0\0\0\x01\0\0\0\x07\
            \xff\xff\xff\xff";
        let expected = [("a", 0), ("a", 3), ("bc", 7)].map(|(topic, at)| (topic.to_owned(), at));
        assert_eq!(assignment(bytes), Some(expected.to_vec()));
        assert_eq!(assignment(b"\0\x01\0\0\0\0"), Some(Vec::new()));
        for end in 0..bytes.len() - 4 {
            assert_eq!(assignment(&bytes[..end]), None, "cut off at {end}");
        }
    }
}
