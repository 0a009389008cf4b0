"""A small speech pipeline and its error handler.

Run it from the repository: ``python -m docs.examples.audio_enhancement``. One noisy recording meets
everything an error handler does for a pipeline: an engine whose result is not good enough, a
service that falters, a service that is down, and a ladder whose upper rungs break. The service is
a real one, on this machine, for the length of the run.
"""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from tenuto.audio.codec import decode
from tenuto.audio.engines import Engine, engine_for
from tenuto.audio.quality import Gate
from tenuto.audio.sound import Samples
from utils.error_handling import AudioProcessingError, ErrorHandler

RECORDING = next((Path(__file__).parents[2] / "samples/readings").glob("01*.wav"))
BROADCAST_QUALITY = 4.5
"""More than any engine makes of this recording, on the meter's scale from 1 to 5."""


# What the pipeline works with --------------------------------------------------------------------


def by(tier: str, samples: Samples, rate: int) -> Samples:
    """``samples`` enhanced by the best engine of ``tier``."""
    engine: Engine = engine_for(tier, rate)
    return engine.enhance(samples, rate)


class EnhancementService(BaseHTTPRequestHandler):
    """Halves the volume of what is posted to it, unless it is told to fail first."""

    failures_to_come = 0

    def do_POST(self) -> None:
        """Answer 503 as often as it was told to, and then with sound."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if type(self).failures_to_come > 0:
            type(self).failures_to_come -= 1
            self.send_error(503)
            return
        answer = (np.frombuffer(body, np.float32) / 2).tobytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Client:
    """How the pipeline talks to the service."""

    def __init__(self, url: str) -> None:
        self.url = url

    def process(self, audio: Samples) -> Samples:
        """What the service makes of ``audio``; raises ConnectionError where it does not answer."""
        request = urllib.request.Request(self.url, data=audio.tobytes(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return np.frombuffer(answer.read(), np.float32).reshape(audio.shape)
        except OSError as error:
            raise ConnectionError("the enhancement service does not answer") from error

    enhance = process


@contextmanager
def enhancement_service() -> Iterator[str]:
    """The service on a free port of this machine; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), EnhancementService)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# The pipeline ------------------------------------------------------------------------------------

# Initialize error handler
error_handler = ErrorHandler(service_name="audio_enhancement")


# Custom exceptions
class EnhancementQualityError(AudioProcessingError):
    """Raised when enhancement quality is below threshold."""


def run(url: str) -> dict[str, object]:
    """Do all of it; returns what became of each part."""
    sound = decode(RECORDING)
    input_audio, rate = sound.samples, sound.rate
    audio_id, audio_duration = RECORDING.stem, sound.duration
    external_api = api_client = Client(url)
    story: dict[str, object] = {}

    def enhance_audio(audio: Samples) -> Samples:
        enhanced = by("basic", audio, rate)
        verdict = Gate(min_quality=BROADCAST_QUALITY).judge(audio, enhanced, rate)
        if not verdict.accepted:
            raise EnhancementQualityError(
                verdict.reason, quality_score=verdict.score, threshold=verdict.threshold
            )
        return enhanced

    @error_handler.recovery_manager.register("fallback")
    def use_the_best_engine(error: BaseException, context: dict[str, object]) -> Samples:
        story["recovering"] = context["audio_id"]
        return by("high_quality", input_audio, rate)

    # Error handling with context
    try:
        enhanced_audio = enhance_audio(input_audio)
    except EnhancementQualityError as e:
        error_handler.handle_error(
            e,
            context={
                "audio_id": audio_id,
                "duration": audio_duration,
                "quality_score": e.quality_score,
                "threshold": e.threshold,
            },
        )

        # Attempt recovery
        recovery_result = error_handler.recover(e, strategy="fallback")
        if recovery_result.success:
            enhanced_audio = recovery_result.output
    story["recovered"] = len(enhanced_audio) == len(input_audio)

    # Retry mechanism
    @error_handler.with_retry(
        max_retries=3, backoff="exponential", exceptions=(ConnectionError, TimeoutError)
    )
    def process_with_external_service(audio: Samples) -> Samples:
        # Processing that might fail
        return external_api.process(audio)

    EnhancementService.failures_to_come = 2
    processed = process_with_external_service(input_audio)
    story["answered after two failures"] = bool(np.allclose(processed, input_audio / 2))

    def local_processing(audio: Samples) -> Samples:
        return by("basic", audio, rate)

    # Circuit breaker for external services
    @error_handler.circuit_breaker(failure_threshold=5, timeout=60, fallback=local_processing)
    def call_enhancement_api(audio: Samples) -> Samples:
        return api_client.enhance(audio)

    EnhancementService.failures_to_come = 5
    refusals = 0
    for _ in range(6):
        try:
            local = call_enhancement_api(input_audio)
        except ConnectionError:
            refusals += 1
    story["failures before the circuit opened"] = refusals
    story["done here while it is open"] = bool(np.array_equal(local, local_processing(input_audio)))

    def enhance_high_quality(audio: Samples) -> Samples:
        return by("high_quality", audio[:, 0], rate)  # wrong: an engine wants (frames, channels)

    def enhance_medium_quality(audio: Samples) -> Samples:
        return by("medium_quality", np.full_like(audio, np.nan), rate)  # wrong: not a number

    def enhance_basic(audio: Samples) -> Samples:
        return by("basic", audio, rate)

    # Graceful degradation
    def enhance_with_fallback(audio: Samples) -> Samples:
        strategies = [
            ("high_quality", enhance_high_quality),
            ("medium_quality", enhance_medium_quality),
            ("basic", enhance_basic),
        ]

        for name, strategy in strategies:
            try:
                enhanced = strategy(audio)
                story["enhanced by"] = name
                return enhanced
            except Exception as e:
                error_handler.log_degradation(name, e)
                continue

        raise AudioProcessingError("All enhancement strategies failed")

    story["same length"] = len(enhance_with_fallback(input_audio)) == len(input_audio)
    return story


if __name__ == "__main__":
    with enhancement_service() as address:
        print(json.dumps(run(address), indent=2))
