"""Tokens coded in context come back, whatever the tables, the references and the depths; damage is refused."""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokens.small_priors import plain_weights, random_codes, random_prior, random_tables

from eegzip.formats.errors import ContainerError, ModelError
from eegzip.formats.tokens.likelihood import EXP, factors, likelihoods, new_room
from eegzip.formats.tokens.packed import ABSENT
from eegzip.formats.tokens.search.references import plan_streams
from eegzip.formats.tokens.stream import (
    MAX_REFERENCES,
    StreamParameters,
    decode_stream,
    encode_stream,
    unpack_parameters,
)
from eegzip.formats.tokens.tables import BANDS, TokenPrior, coding_tables, pack_prior
from eegzip.formats.tokens.tracking import by_coordinate, energy_class, follow, predict, start_variance

MANY = settings(max_examples=60)
SIZES = st.sampled_from([2, 3, 16, 37, 64])


@MANY
@given(
    seed=st.integers(0, 1 << 16),
    entries=SIZES,
    levels=st.integers(1, 4),
    frames=st.integers(0, 12),
    references=st.integers(0, MAX_REFERENCES),
    varying=st.booleans(),
    extreme=st.booleans(),
)
def test_every_stream_comes_back(seed, entries, levels, frames, references, varying, extreme):
    rng = np.random.default_rng(seed)
    prior = random_prior(seed, levels=4, entries=entries, extreme=extreme)
    codes = random_codes(rng, prior, levels, frames, varying=varying)
    known = {
        10 * place: random_codes(rng, prior, int(rng.integers(1, 5)), frames, varying=bool(place % 2))
        for place in range(references)
    }
    weights = rng.integers(-63, 64, (references, BANDS)).astype(np.int32)
    parameters = StreamParameters(varying, int(rng.integers(0, 64)), tuple(known))
    data = encode_stream(prior, codes, parameters, list(known.values()), weights)
    assert unpack_parameters(data) == parameters
    np.testing.assert_array_equal(decode_stream(prior, data, codes.shape, entries, known), codes, strict=True)


@MANY
@given(seed=st.integers(0, 1 << 16), data=st.binary(max_size=60), frames=st.integers(0, 40))
def test_any_bytes_give_tokens_or_a_refusal(seed, data, frames):
    prior = random_prior(seed % 5, entries=37)
    known = {group: random_codes(np.random.default_rng(group), prior, 3, frames, varying=True) for group in range(3)}
    try:
        unpack_parameters(data)
        codes = decode_stream(prior, data, (3, frames), 37, {n: known[n % 3] for n in range(1 << 16)})
    except ContainerError:
        return
    assert codes.shape == (3, frames)
    there = codes != ABSENT
    assert (codes[there] < 37).all()
    assert (there[:-1] >= there[1:]).all()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        b"\2\0\0",  # an unknown flag
        b"\0\x40\0",  # a start class of 64
        b"\0\0\x09" + bytes(range(18)),  # nine references
        b"\0\0\2\5\0\5\0",  # the same twice
        b"\0\0\2\5\0",  # cut short
    ],
)
def test_parameters_out_of_range_are_refused(data):
    with pytest.raises(ContainerError):
        unpack_parameters(data)


def test_a_stream_of_another_shape_is_refused():
    prior = random_prior(1)
    for shape, size in (((4, 3), 16), ((3, 3), 17), ((3, 400_000), 16)):
        with pytest.raises(ContainerError):
            decode_stream(prior, b"\0\0\0", shape, size, {})


@MANY
@given(seed=st.integers(0, 1 << 16), extreme=st.booleans())
def test_likelihoods_are_those_of_the_specification(seed, extreme):
    """No sum overflows, even at the ends of every range."""
    rng = np.random.default_rng(seed)
    hidden_units = int(np.random.default_rng(seed).integers(1, 6))
    prior = random_prior(seed, entries=7, width=6, hidden=hidden_units, extreme=extreme)
    tables = prior.stored()
    level, together = int(rng.integers(0, 3)), int(rng.integers(0, 2))
    missing = rng.integers(-(1 << 22), 1 << 22, 6)
    variance = rng.integers(0, 1 << 40, 6) if extreme else rng.integers(0, 1 << 20, 6)
    hidden = rng.integers(-4000, 4000, hidden_units).astype(np.int32)
    room = new_room(prior.tables)
    tree = room.tree
    likelihoods(prior.tables, level, together, missing, variance, hidden, room)
    expected = plain_weights(tables, level, together, missing.tolist(), variance.tolist(), hidden.tolist())
    assert tree[8:15].tolist() == expected
    assert tree[15] == 0
    assert tree[1] == sum(expected)


@MANY
@given(st.integers(0, 1 << 16), st.sampled_from([2, 7, 64, 65, 130]), st.integers(1, 5), st.booleans())
def test_tables_in_memory_are_those_of_the_file(seed, entries, hidden, extreme):
    content = pack_prior(random_tables(seed, entries=entries, hidden=hidden, extreme=extreme))
    assert pack_prior(TokenPrior(content).stored()) == content


@settings(max_examples=300)
@given(st.data())
def test_quotients_are_rounded_down_as_integers_are(data):
    """By doubles where numbers are of ordinary size, by integers where one is not, and just beside every integer."""
    digits = data.draw(st.sampled_from([4, 16, 20, 21, 22, 31]))
    gain = data.draw(st.lists(st.integers(1, (1 << 31) - 1), min_size=5, max_size=5))
    spread = data.draw(st.lists(st.integers(1, 1 << data.draw(st.integers(1, 40))), min_size=5, max_size=5))
    missing = data.draw(st.lists(st.integers(-(1 << digits), 1 << digits), min_size=5, max_size=5))
    # The first two so that the quotient is an integer, or less than one by as little as can be.
    near = data.draw(st.integers(-4096, 4096)) * spread[0]
    missing[0], gain[0] = near, 1
    missing[1], gain[1], spread[1] = near - 1, 1, spread[0]
    along, against = np.zeros(5, np.int32), np.zeros(5, np.int32)
    rest = np.ones(5, np.int32)
    variance = np.array(spread, np.int64) - 1
    tables = [np.array(gain, np.int32)] * 2
    factors(np.array(missing, np.int64), variance, rest, *tables, along, against)
    expected = [min(max(m * g // v, -4095), 4095) for m, g, v in zip(missing, gain, spread, strict=True)]
    assert along.tolist() == expected
    assert against.tolist() == [min(g // v, 4095) for g, v in zip(gain, spread, strict=True)]


@MANY
@given(seed=st.integers(0, 1 << 16), references=st.integers(0, MAX_REFERENCES))
def test_a_prediction_is_the_sum_of_weighed_words(seed, references):
    rng = np.random.default_rng(seed)
    prior = random_prior(seed, levels=4, entries=37)
    words, bands = prior.tables.words, prior.tables.bands
    others = np.stack(
        [random_codes(rng, prior, 4, 3, varying=True) for _ in range(references)] or [np.zeros((4, 3), np.uint16)]
    )[:references]
    weights = rng.integers(-63, 64, (references, BANDS)).astype(np.int32)
    found = np.zeros(words.shape[2], np.int64)
    predict(words, others, by_coordinate(weights, bands), 1, found)
    for d in range(len(found)):
        total = sum(
            int(weights[place, bands[d]]) * int(words[level, others[place, level, 1], d])
            for place in range(references)
            for level in range(4)
            if others[place, level, 1] != ABSENT
        )
        assert found[d] == total >> 5


def test_the_widest_prior_stays_within_32_bits():
    """256 coordinates and 128 hidden units, every product at its largest and all of one sign."""
    tables = random_tables(3, levels=1, entries=2, width=256, hidden=128, extreme=True)
    tables = tables._replace(
        match=np.full_like(tables.match, 511), norm=np.full_like(tables.norm, -511), rest=np.ones_like(tables.rest),
        gain=np.full_like(tables.gain, 1 << 30), norm_gain=np.full_like(tables.norm_gain, 1 << 30),
        out=np.full_like(tables.out, 127),
    )  # fmt: skip
    missing, variance = np.full(256, 1 << 20), np.zeros(256, np.int64)
    hidden = np.full(128, 1 << 20, np.int32)
    coding = coding_tables(tables)
    room = new_room(coding)
    likelihoods(coding, 0, 0, missing, variance, hidden, room)
    assert room.tree[2:].tolist() == plain_weights(tables, 0, 0, missing.tolist(), variance.tolist(), hidden.tolist())


def test_no_exponential_lies_near_a_half():
    """So libm's last bit can't change the table on any machine."""
    with localcontext() as context:
        context.prec = 40
        for n, value in enumerate(EXP.tolist()):
            exact = Decimal(65536) * (-Decimal(n) / 256).exp()
            assert value == max(1, int(exact + Decimal("0.5")))
            assert abs(exact - int(exact) - Decimal("0.5")) > Decimal("1e-8")


def test_energy_classes_are_half_octaves():
    for total in range(1, 5000):
        variance = np.array([total - total // 3, total // 3])
        octave = total.bit_length() - 1
        half = int(2 * total >= 3 << octave) if octave else 0
        assert energy_class(variance, 0) == min(2 * octave + half, 23)
        assert energy_class(variance, 6) == min(max(2 * octave + half - 6, 0), 23)


def test_the_variance_starts_where_told_and_follows_what_was_missed():
    variance = np.zeros(2, np.int64)
    start_variance(np.array([100, 1], np.int32), 18, variance)
    assert variance.tolist() == [100, 1]
    start_variance(np.array([100, 1], np.int32), 21, variance)
    assert variance.tolist() == [100 * 181 * 1024 >> 16, 181 * 1024 >> 16]
    start_variance(np.array([100, 1], np.int32), 0, variance)
    assert variance.tolist() == [1, 1]
    follow(variance, np.array([5, 0]), np.array([-6, 3]))
    assert variance.tolist() == [1 + ((121 - 1) >> 3), 1 + ((9 - 1) >> 3)]


def test_a_stream_that_another_tells_is_cheap_and_references_come_first():
    prior = random_prior(7, entries=64, width=8)
    rng = np.random.default_rng(7)
    one, other = (random_codes(rng, prior, 3, 100, varying=False) for _ in range(2))
    streams = [one, other, one.copy(), one.copy()]
    done: set[int] = set()
    for plan in plan_streams(prior, streams):
        assert done >= set(plan.parameters.references)
        done.add(plan.place)
        if plan.parameters.references:
            assert plan.place in (0, 2, 3)
            assert set(plan.parameters.references) <= {0, 2, 3}
            used = np.unique(prior.tables.bands)
            assert np.abs(plan.weights.sum(axis=0)[used] - 32).max() <= 1
    assert done == {0, 1, 2, 3}


@MANY
@given(place=st.integers(0, 3000), value=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_prior_is_refused_or_safe(place, value, cut):
    data = bytearray(pack_prior(random_tables(2)))
    place %= len(data)
    if cut:
        del data[place:]
    else:
        data[place] = value
    try:
        prior = TokenPrior(bytes(data))
    except ModelError:
        return
    codes = random_codes(np.random.default_rng(place), prior, prior.levels, 5, varying=True)
    stream = encode_stream(prior, codes, StreamParameters(True, 3), [], np.zeros((0, BANDS), np.int32))
    np.testing.assert_array_equal(decode_stream(prior, stream, codes.shape, prior.entries, {}), codes)


@pytest.mark.parametrize(
    "change",
    [
        lambda tables: tables._replace(match=np.full_like(tables.match, 512)),
        lambda tables: tables._replace(norm=np.full_like(tables.norm, -512)),
        lambda tables: tables._replace(rest=np.zeros_like(tables.rest)),
        lambda tables: tables._replace(start=np.full_like(tables.start, (1 << 20) + 1)),
        lambda tables: tables._replace(gain=np.full_like(tables.gain, -1)),
        lambda tables: tables._replace(bands=np.full_like(tables.bands, 8)),
        lambda tables: tables._replace(bands=np.full_like(tables.bands, -1)),
        lambda tables: tables._replace(out=tables.out[:, :, :-1]),
        lambda tables: tables._replace(words=tables.words.astype(np.int32)),
    ],
)
def test_tables_out_of_range_are_refused(change):
    with pytest.raises(ModelError):
        TokenPrior(pack_prior(change(random_tables(4))))
