"""Certificates, made where a test needs them."""

import datetime
import ipaddress
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """A CA of its own. Its files are written to `directory`."""

    def __init__(self, directory, name="authority"):
        self.directory, self.name = directory, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} of the tests")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        builder = self._builder(self.subject, self.subject, self.key, NOW + DAY).add_extension(constraints, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(pem(self.certificate))

    def _builder(self, subject, issuer, key, until):
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - 3 * DAY).not_valid_after(until)

    def issue(self, name, names=("localhost", "127.0.0.1", "::1"), expired=False, self_signed=False):
        """A certificate for these names and addresses, by this CA or by itself; its files are called `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if self_signed else self.subject
        builder = self._builder(subject, issuer, key, NOW + (-DAY if expired else DAY))
        builder = builder.add_extension(x509.SubjectAlternativeName([general_name(one) for one in names]), critical=False)
        return Issued(self.directory / name, builder.sign(key if self_signed else self.key, hashes.SHA256()), key)


class Issued:
    """A certificate and its key, as the files `cert` and `key`."""

    def __init__(self, stem, certificate, key):
        self.certificate = certificate
        self.cert_pem = pem(certificate)
        form = serialization.PrivateFormat.PKCS8
        self.key_pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        self.cert, self.key = stem.with_suffix(".cert.pem"), stem.with_suffix(".key.pem")
        self.cert.write_bytes(self.cert_pem)
        write_private(self.key, self.key_pem)

    @property
    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def files(self):
        return {"cert_file": str(self.cert), "key_file": str(self.key)}

    def server_context(self, client_ca=None, alpn=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if client_ca:
            context.load_verify_locations(client_ca.file)
            context.verify_mode = ssl.CERT_REQUIRED
        if alpn:
            context.set_alpn_protocols(alpn)
        return context


def client_context(authority, identity=None, alpn=None, version=None):
    """A client that trusts `authority` alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.file)
    if identity:
        context.load_cert_chain(identity.cert, identity.key)
    if alpn:
        context.set_alpn_protocols(alpn)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def write_private(path, text):
    """In one step, as whoever renews certificates should, and never for others to read."""
    draft = path.with_name(path.name + ".new")
    draft.touch(0o600)
    draft.write_bytes(text)
    draft.rename(path)


def general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
