"""Packaging of beamscribe; Dataflow workers get the project through ``--setup_file ./setup.py``."""

from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent

setup(
    name="beamscribe",
    version="0.1.0",
    description="Batch speech recognition on Apache Beam: audio archives to transcripts and WER reports",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=["asr_model", "pipelines", "pipelines.configs", "pipelines.recognizer"],
    # The settings and the shipped recognizer lie at the top of the repository and travel inside the package.
    package_dir={"pipelines.configs": "configs", "pipelines.recognizer": "examples/recognizer"},
    package_data={
        "asr_model": ["py.typed"],
        "pipelines": ["py.typed", "*.html", "*.css", "*.js"],
        "pipelines.configs": ["*.yaml"],
        "pipelines.recognizer": ["*.safetensors", "*.md"],
    },
    install_requires=[
        "apache-beam>=2.77,<2.78",
        "flashlight-text==0.0.7",
        "jinja2>=3.1",
        "jiwer>=4.0",
        "matplotlib>=3.9",
        "miniaudio>=1.71",
        "numpy>=2.0,<2.5",
        "num2words>=0.5.14",
        "orjson>=3.10",
        "pandas>=2.2",
        "pillow>=11",
        "pyarrow>=20,<26",
        "pydantic>=2.10",
        "rapidfuzz>=3.9",
        "rich>=13",
        "ruamel.yaml>=0.18",
        "safetensors>=0.5",
        "scipy>=1.13",
        "sentencepiece>=0.2",
        "soundfile>=0.13",
        "soxr>=1.0",
        "tensorboard>=2.18",
        "torch==2.11.0",
        "torchaudio==2.11.0",
        "webvtt-py>=0.5",
    ],
    extras_require={
        "av": ["av>=14"],  # M4A, AMR, WebM
        "bench": ["datasets>=4", "h5py>=3.10", "lhotse>=1.30", "lilcom>=1.8"],  # what benchmarks compare with
        "cleaning": ["noisereduce>=3", "pyloudnorm>=0.2", "silero-vad>=6"],
        "gcp": ["apache-beam[gcp]>=2.77,<2.78"],
        "whisper": ["faster-whisper>=1.2"],
        "whisper-english": ["whisper-normalizer>=0.1.10"],
        "dev": [
            "apache-beam[gcp]>=2.77,<2.78",
            "av>=14",
            "datasets>=4",
            "duckdb>=1.2",
            "faster-whisper>=1.2",
            "kaldi-native-fbank>=1.20",
            "mypy>=1.15",
            "noisereduce>=3",
            "pandas-stubs",
            "playwright>=1.50",
            "polars>=1.20",
            "pyloudnorm>=0.2",
            "pytest>=8",
            "pytest-timeout>=2.3",
            "ruff>=0.11",
            "silero-vad>=6",
            "transformers>=4.50",
            "whisper-normalizer>=0.1.10",
        ],
    },
    entry_points={"console_scripts": ["beamscribe=pipelines.__main__:main"]},
)
