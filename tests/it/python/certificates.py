"""Certificates for a test, in PEM: an authority's, a server's for 127.0.0.1, a client's."""

import datetime
import ipaddress
import json
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

folder = pathlib.Path(json.load(sys.stdin)["folder"])
now = datetime.datetime.now(datetime.timezone.utc)


def name(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def pem(key):
    kind = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())


def certificate(subject, key, issuer, signer, extension):
    day = datetime.timedelta(days=1)
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    made = builder.add_extension(extension, critical=True).sign(signer, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


authority = ec.generate_private_key(ec.SECP256R1())
of_authority = x509.BasicConstraints(ca=True, path_length=0)
ca = certificate("authority", authority, "authority", authority, of_authority)
(folder / "ca.pem").write_bytes(ca)
for who in ("server", "client"):
    key = ec.generate_private_key(ec.SECP256R1())
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = certificate(who, key, "authority", authority, here)
    (folder / f"{who}.pem").write_bytes(made + pem(key))
json.dump({"made": True}, sys.stdout)
