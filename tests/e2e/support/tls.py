"""Certificates of a test, and what grpcio and Python make of them."""

import shutil
import ssl

import grpc


def use(certs, folder, name):
    """Makes it the certificate in force, as a renewal does: new files under the old names."""
    for suffix in ["pem", "key"]:
        shutil.copy(certs / f"{name}.{suffix}", folder / f"next.{suffix}")
        (folder / f"next.{suffix}").rename(folder / f"live.{suffix}")


def tls_yaml(folder, **more):
    """The gateway's configuration with the certificate in force."""
    keys = {"certificate": folder / "live.pem", "key": folder / "live.key", **more}
    return "tls:\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items())


def credentials(certs, client=None):
    authority = (certs / "ca.pem").read_bytes()
    if client is None:
        return grpc.ssl_channel_credentials(authority)
    key, own = [(certs / f"{client}.{suffix}").read_bytes() for suffix in ["key", "pem"]]
    return grpc.ssl_channel_credentials(authority, key, own)


def context(certs, alpn=("h2",), version=None, authority="ca"):
    """A client's TLS of Python's own."""
    made = ssl.create_default_context(cafile=certs / f"{authority}.pem")
    if alpn:
        made.set_alpn_protocols(list(alpn))
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())
