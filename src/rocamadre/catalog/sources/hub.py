"""A repository of a model hub that speaks Hugging Face's protocol, through `huggingface_hub`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from huggingface_hub import HfApi, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from rocamadre.catalog.checks import choose_files
from rocamadre.catalog.sources.types import Listing, SourceFile, SourceOptions
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound, Unavailable

TIMEOUT_S = 30.0


class HubSource:
    """See the module."""

    def __init__(self, text: str, options: SourceOptions) -> None:
        self._repository = text
        self._options = options
        self._endpoint = options.hub_endpoint or None

    def find(self) -> Listing:
        """The repository's files at the commit that the revision names now."""
        with self._errors():
            api = HfApi(endpoint=self._endpoint)
            revision = self._options.revision
            info = api.model_info(self._repository, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
        if not info.sha:
            raise InvalidRequest(f"the hub names no commit of {self._repository}; nothing can be pinned")
        found = {sibling.rfilename: sibling for sibling in info.siblings or []}
        files = []
        for name in choose_files(found, wanted=self._options.file):
            sibling = found[name]
            if sibling.size is None:
                raise InvalidRequest(f"the hub gives no size for {name} of {self._repository}")
            sha256 = sibling.lfs.sha256 if sibling.lfs else ""
            files.append(SourceFile(name, sibling.size, sha256, "" if sha256 else sibling.blob_id or ""))
        owner, _, name = self._repository.partition("/")
        return Listing("hub", f"hf:{self._repository}", info.sha, owner, name, tuple(files))

    def read(self, listing: Listing, file: SourceFile, offset: int) -> Iterator[bytes]:
        """Over HTTP, by range when some of it is here already."""
        headers = {**build_hf_headers(), "accept-encoding": "identity"}
        if offset:
            headers["range"] = f"bytes={offset}-"
        with self._errors():
            url = hf_hub_url(self._repository, file.name, revision=listing.revision, endpoint=self._endpoint)
            request = get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT_S)
            with request as response:
                hf_raise_for_status(response)
                skip = offset if offset and response.status_code != httpx.codes.PARTIAL_CONTENT else 0
                for chunk in response.iter_bytes():
                    if skip < len(chunk):
                        yield chunk[skip:]
                    skip = max(0, skip - len(chunk))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """The library's errors in our words, each with what to do."""
        name = self._repository
        where = self._endpoint or "the model hub"
        try:
            yield
        except GatedRepoError as error:
            raise AccessDenied(f"{name} is gated: accept its terms on the hub, then set HF_TOKEN") from error
        except RevisionNotFoundError as error:
            raise NotFound(f"{name} has no revision {self._options.revision!r}") from error
        except RepositoryNotFoundError as error:
            raise NotFound(f"{where} has no model {name}, or it is private: check the name, or set HF_TOKEN") from error
        except (OfflineModeIsEnabled, HfHubHTTPError, httpx.HTTPError) as error:
            raise Unavailable(
                f"cannot reach {where} for {name} ({type(error).__name__}). Without a network: copy the model's folder "
                "or .gguf file here and pull that path; behind a mirror: set HF_ENDPOINT. What was fetched is kept; "
                "repeating the command goes on from there"
            ) from error
