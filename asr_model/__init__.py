"""Speech: audio, features, text, networks, decoding and scoring. Knows nothing of Beam."""
