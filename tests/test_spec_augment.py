import torch

from asr_model.spec_augment import SpecAugmentSettings, add_margins, add_noise, spec_augment, warp

OFF = SpecAugmentSettings(num_time_masks=0, num_frequency_masks=0, max_tempo_change=0, max_vocal_tract_change=0)


def ramp(frames: int, bands: int) -> torch.Tensor:
    """Features whose value tells their place: 100 × frame + band."""
    return 100.0 * torch.arange(frames)[:, None] + torch.arange(bands)


def test_all_off_changes_nothing():
    features, lengths = torch.randn(3, 20, 8), torch.tensor([20, 7, 1])
    augmented, num_frames = spec_augment(features, lengths, OFF)
    assert torch.equal(augmented, features)
    assert torch.equal(num_frames, lengths)


def test_tempo_changes_length_within_its_range_and_stretches_time():
    torch.manual_seed(0)
    settings = OFF.model_copy(update={"max_tempo_change": 0.2})
    lengths = torch.full((64,), 100)
    warped, num_frames = warp(ramp(100, 4).expand(64, -1, -1), lengths, settings)
    assert 83 <= num_frames.min() < 90
    assert 110 < num_frames.max() <= 125
    assert warped.shape == (64, num_frames.max(), 4)
    for row, length in zip(warped, num_frames.tolist(), strict=True):
        middle = row[length // 2, 0] / 100
        assert abs(middle - 50 - (0.5 * 100 / length if length % 2 == 0 else 0)) < 1.0


def test_vocal_tract_stretches_bands_and_keeps_time():
    torch.manual_seed(0)
    settings = OFF.model_copy(update={"max_vocal_tract_change": 0.2})
    warped, num_frames = warp(ramp(10, 41).expand(64, -1, -1), torch.full((64,), 10), settings)
    assert set(num_frames.tolist()) == {10}
    factors = (warped[:, 0, 20] / 20).tolist()
    assert 0.8 <= min(factors) < 0.9
    assert 1.1 < max(factors) <= 1.2
    torch.testing.assert_close(warped[:, 5] - warped[:, 0], torch.full((64, 41), 500.0), atol=1e-2, rtol=0)


def test_padding_never_enters_an_utterance():
    torch.manual_seed(0)
    features, lengths = torch.full((2, 50, 4), 9e9), torch.tensor([50, 13])
    features[0], features[1, :13] = 1.0, 1.0
    warped, num_frames = warp(features, lengths, SpecAugmentSettings())
    for row, length in zip(warped, num_frames.tolist(), strict=True):
        torch.testing.assert_close(row[:length], torch.ones(length, 4))


def test_a_single_frame_survives():
    warped, num_frames = warp(torch.ones(1, 1, 4), torch.tensor([1]), SpecAugmentSettings())
    assert num_frames.tolist() == [1]
    torch.testing.assert_close(warped, torch.ones(1, 1, 4))


def test_masks_set_bands_and_frames_to_zero():
    torch.manual_seed(0)
    settings = SpecAugmentSettings(max_tempo_change=0, max_vocal_tract_change=0)
    augmented, _ = spec_augment(torch.ones(4, 200, 80), torch.full((4,), 200), settings)
    assert (augmented == 0).any()
    assert (augmented == 1).any()


def test_views_share_their_tempo_and_nothing_else():
    torch.manual_seed(0)
    features, lengths = ramp(100, 21).expand(3, -1, -1), torch.tensor([100, 80, 60])
    warped, num_frames = warp(features, lengths, SpecAugmentSettings(max_tempo_change=0.2), views=2)
    assert warped.shape[0] == 6
    assert torch.equal(num_frames[:3], num_frames[3:])
    one, other = warped.chunk(2)
    torch.testing.assert_close(one[:, :50, 0], other[:, :50, 0])
    assert not torch.allclose(one[:, :50, 10], other[:, :50, 10])
    masked, _ = spec_augment(torch.ones(3, 100, 21), lengths, SpecAugmentSettings(max_tempo_change=0), views=2)
    assert not torch.equal(*masked.chunk(2))


def test_noise_fills_pauses_and_leaves_what_is_louder():
    torch.manual_seed(0)
    features = torch.ones(400, 60, 8)
    features[:, 1::2] = -1  # every other frame a pause; mean 0, deviation 1
    noisy = add_noise(features, torch.full((400,), 60), 0.3)
    speech, pauses = noisy[:, ::2], noisy[:, 1::2]
    torch.testing.assert_close(noisy.mean(dim=1), torch.zeros(400, 8), atol=1e-5, rtol=0)
    torch.testing.assert_close(noisy.square().mean(dim=1), torch.ones(400, 8), atol=1e-3, rtol=0)
    assert (speech.amin(dim=1) > pauses.amax(dim=1)).float().mean() > 0.95
    heard = pauses.std(dim=1).mean(dim=1) > 0.1
    assert 0.3 < heard.float().mean() < 0.7
    assert (speech.std(dim=1) < pauses.std(dim=1)).all()


def test_a_noise_below_everything_changes_nothing():
    torch.manual_seed(0)
    features = torch.rand(3, 50, 8)
    features = (features - features.mean(dim=1, keepdim=True)) / features.std(dim=1, keepdim=True, correction=0)
    noisy = add_noise(features, torch.full((3,), 50), -1.99)
    assert (noisy - features).abs().mean() < 0.1


def test_noise_is_normalized_within_the_lengths_and_none_beyond():
    torch.manual_seed(0)
    features, lengths = torch.randn(2, 50, 4), torch.tensor([50, 13])
    features[1, 13:] = 9e9
    noisy = add_noise(features, lengths, 0.3)
    assert noisy[1, 13:].eq(0).all()
    torch.testing.assert_close(noisy[1, :13].mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)


def test_two_views_hear_different_noises():
    torch.manual_seed(0)
    settings = OFF.model_copy(update={"max_noise": 1.0})
    features, _ = spec_augment(torch.randn(4, 50, 8), torch.full((4,), 50), settings, views=2)
    assert (features[:4] - features[4:]).abs().mean() > 0.05


def test_pauses_surround_an_utterance_and_its_frames_keep_their_order(monkeypatch):
    monkeypatch.setattr("asr_model.spec_augment.NOISE_DEVIATION", 0.0)
    torch.manual_seed(0)
    lengths = torch.tensor([50, 13] * 20)
    features = ramp(50, 4).expand(40, -1, -1).clone()
    features[lengths == 13, 13:] = 9e9
    padded, num_frames = add_margins(features, lengths, 30)
    begun = []
    for row, length, frames in zip(padded, lengths.tolist(), num_frames.tolist(), strict=True):
        rises = row[:frames, 0].diff()
        # Normalized, frames rise as evenly as before; a pause stays where it is, below the quietest but a few of them.
        *_, start = (place for place in range(31) if rises[place : place + length - 1].gt(1e-3).sum() == length - 1)
        speech = row[start : start + length]
        torch.testing.assert_close(speech.diff(dim=0), speech.diff(dim=0)[:1].expand(length - 1, -1), atol=1e-4, rtol=0)
        pause = torch.cat([row[:start], row[start + length : frames]])
        assert len(pause) <= 60
        assert (pause == pause[:1]).all()
        assert (pause <= speech[length // 20]).all()
        assert row[frames:].eq(0).all()
        torch.testing.assert_close(row[:frames].mean(dim=0), torch.zeros(4), atol=1e-4, rtol=0)
        begun.append(start)
    assert min(begun) < 5
    assert max(begun) > 25


def test_two_views_hear_the_same_pauses():
    torch.manual_seed(0)
    settings = OFF.model_copy(update={"max_margin": 20})
    features, num_frames = spec_augment(torch.randn(4, 50, 8), torch.full((4,), 50), settings, views=2)
    assert torch.equal(features[:4], features[4:])
    assert len(set(num_frames[:4].tolist())) > 1
