"""What an object store refuses, each with its code in S3."""

from __future__ import annotations

from rocamadre.core.errors import AccessDenied, Conflict, InvalidRequest, NotFound, RocamadreError


class NoSuchBucket(NotFound):
    """No bucket is called so."""

    s3 = ("NoSuchBucket", 404)


class NoSuchKey(NotFound):
    """The bucket has no object of this key."""

    s3 = ("NoSuchKey", 404)


class NoSuchUpload(NotFound):
    """No upload in parts has this id here; it was completed, aborted or never begun."""

    s3 = ("NoSuchUpload", 404)


class BucketTaken(Conflict):
    """Another account has a bucket of this name."""

    s3 = ("BucketAlreadyExists", 409)


class BucketOwned(Conflict):
    """Your account has this bucket already."""

    s3 = ("BucketAlreadyOwnedByYou", 409)


class BucketNotEmpty(Conflict):
    """The bucket still holds objects or uploads."""

    s3 = ("BucketNotEmpty", 409)


class ForeignBucket(AccessDenied):
    """The bucket belongs to another account."""

    s3 = ("AccessDenied", 403)


class InvalidBucketName(InvalidRequest):
    """The bucket's name is not of S3's form."""

    s3 = ("InvalidBucketName", 400)


class KeyTooLong(InvalidRequest):
    """A key is at most 1024 bytes of UTF-8."""

    s3 = ("KeyTooLongError", 400)


class InvalidKey(InvalidRequest):
    """A key is UTF-8 text of at least one byte."""

    s3 = ("InvalidArgument", 400)


class InvalidPart(InvalidRequest):
    """A part that the list names was not uploaded, or differs from what the list says."""

    s3 = ("InvalidPart", 400)


class InvalidPartOrder(InvalidRequest):
    """The list's parts do not ascend by number."""

    s3 = ("InvalidPartOrder", 400)


class PartTooSmall(InvalidRequest):
    """Every part but the last must have at least 5 MiB."""

    s3 = ("EntityTooSmall", 400)


class TooLarge(InvalidRequest):
    """An object has at most 5 TiB, a part or a single put 5 GiB."""

    s3 = ("EntityTooLarge", 400)


class BadDigest(InvalidRequest):
    """The content does not have the checksum that came with it."""

    s3 = ("BadDigest", 400)


class PreconditionFailed(Conflict):
    """A condition of the request does not hold."""

    s3 = ("PreconditionFailed", 412)


class DamagedObject(RocamadreError):
    """An object's content is not on the disk any more."""

    s3 = ("InternalError", 500)
