"""Certificates for one test run: an authority, servers and callers."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates, and writes everything into a folder as PEM files."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key())
        certificate = builder.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        ).sign(self._key, hashes.SHA256())
        self.certificate = self._written(
            f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM)
        )

    def issue(self, name: str, *alternative_names: str) -> tuple[Path, Path]:
        """Makes a certificate with its key: for a common name, and names that stand beside it."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key())
        if alternative_names:
            names = [x509.DNSName(one) for one in alternative_names]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return (
            self._written(f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            self._written(f"{name}.key", private),
        )

    def _builder(
        self, subject: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
        )

    def _written(self, name: str, content: bytes) -> Path:
        file = self._folder / name
        file.write_bytes(content)
        return file


def client_credentials(
    authority: Authority, pair: tuple[Path, Path] | None = None
) -> grpc.ChannelCredentials:
    """What a caller needs that trusts an authority, and has a certificate or none."""
    certificate, key = (one.read_bytes() for one in pair) if pair else (None, None)
    return grpc.ssl_channel_credentials(authority.certificate.read_bytes(), key, certificate)
