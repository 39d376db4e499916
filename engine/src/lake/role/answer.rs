//! What STS says to AssumeRole: credentials and their end, or why there are none.

use chrono::DateTime;
use object_store::aws::AwsCredential;

/// Why a role is not given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It says no: asking again doesn't help until somebody changes something.
    Denied(String),
    /// Nobody answers, or not now.
    Away(String),
}

impl Refusal {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Denied(why) | Self::Away(why) => why,
        }
    }
}

/// The credentials of an answer, and when they end in microseconds since the Unix epoch.
///
/// # Errors
/// What STS says instead; never any part of credentials.
pub(super) fn read(status: u16, body: &str) -> Result<(AwsCredential, i64), Refusal> {
    if !(200..300).contains(&status) {
        let code = element(body, "Code").unwrap_or("no code");
        let message = element(body, "Message").unwrap_or("no message");
        let why = format!("STS answers {status} ({code}): {message}");
        return Err(match status {
            429 | 500.. => Refusal::Away(why),
            _ if matches!(code, "Throttling" | "ThrottlingException") => Refusal::Away(why),
            _ => Refusal::Denied(why),
        });
    }
    let part = |name| {
        let missing = || Refusal::Denied(format!("STS' answer has no `{name}`"));
        element(body, name).map(str::to_owned).ok_or_else(missing)
    };
    let credential = AwsCredential {
        key_id: part("AccessKeyId")?,
        secret_key: part("SecretAccessKey")?,
        token: Some(part("SessionToken")?),
    };
    let end = part("Expiration")?;
    let end = DateTime::parse_from_rfc3339(&end)
        .map_err(|_| Refusal::Denied(format!("STS' answer ends at `{end}`, which is no time")))?;
    Ok((credential, end.timestamp_micros()))
}

/// The text of the first element called `name`. None of these holds another element, and what
/// would have to be escaped in XML is in none of them but messages.
fn element<'t>(body: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn credentials_are_read_with_their_end() {
        let body = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">
            <AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials>
            <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>a/b+c=</SecretAccessKey>
            <SessionToken>\n t== \n</SessionToken><Expiration>1970-01-01T00:00:01.5Z</Expiration>
            </Credentials></AssumeRoleResult></AssumeRoleResponse>";
        let (credential, end) = read(200, body).unwrap();
        let wanted = AwsCredential {
            key_id: "ASIA1".to_owned(),
            secret_key: "a/b+c=".to_owned(),
            token: Some("t==".to_owned()),
        };
        assert_eq!((credential, end), (wanted, 1_500_000));
    }

    #[test]
    fn a_refusal_says_why_and_whether_to_ask_again() {
        let error = |code: &str| format!("<Error><Code>{code}</Code><Message>m</Message></Error>");
        let denied = read(403, &error("AccessDenied")).unwrap_err();
        let why = "STS answers 403 (AccessDenied): m".to_owned();
        assert_eq!(denied, Refusal::Denied(why));
        for (status, code) in [(400, "Throttling"), (429, "x"), (500, "x"), (503, "x")] {
            let refusal = read(status, &error(code)).unwrap_err();
            assert!(matches!(refusal, Refusal::Away(_)), "{status}");
        }
        let refusal = read(200, "<SecretAccessKey>hush</SecretAccessKey>").unwrap_err();
        assert!(refusal.why().contains("AccessKeyId") && !refusal.why().contains("hush"));
    }
}
