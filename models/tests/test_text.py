"""Tokens, offsets, positive maps and prompts against recorded outputs of the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from glip.text import Tokenizer, demo_prompt, evaluation_prompt, load_vocab, positive_tokens


@pytest.fixture(scope="module")
def tokenizer(golden):
    return Tokenizer(load_vocab(golden.path("glip-a/vocab.txt")))


def test_tokens_and_offsets(golden, tokenizer):
    for case in golden.json("glip-ops/tokenizer.json"):
        encoding = tokenizer.encode(case["text"])
        assert encoding.tokens == case["tokens"], case["name"]
        assert encoding.ids == case["input_ids"], case["name"]
        assert [list(span) for span in encoding.offsets] == case["offsets"], case["name"]


def test_positive_tokens(golden, tokenizer):
    for case in golden.json("glip-ops/positive_map.json"):
        encoding = tokenizer.encode(case["caption"], max_tokens=None)
        assert len(encoding.ids) == case["n_tokens_untruncated"], case["name"]
        for label, tokens in case["label_to_token"].items():
            assert positive_tokens(encoding, case["spans"][int(label) - 1]) == tokens, case["name"]
        # The evaluation leaves out labels without tokens, and does not cut the map at 256.
        whole = [positive_tokens(encoding, spans, limit=len(encoding.ids)) for spans in case["spans"]]
        named = {str(label): tokens for label, tokens in enumerate(whole, 1) if tokens}
        assert case["positive_dict_label_to_token"] == named, case["name"]


def test_prompts_for_class_names(golden, tokenizer):
    for case in golden.json("glip-ops/prompts.json"):
        evaluation, demo = evaluation_prompt(case["labels"]), demo_prompt(case["labels"])
        assert evaluation.caption == case["eval_caption"]
        assert demo.caption == case["demo_caption"]
        assert [[list(s) for s in spans] for spans in demo.spans] == case["demo_spans"]
        for prompt, expected in ((evaluation, "eval_label_to_token"), (demo, "demo_label_to_token")):
            encoding = tokenizer.encode(prompt.caption)
            tokens = {str(i + 1): positive_tokens(encoding, spans) for i, spans in enumerate(prompt.spans)}
            assert tokens == case[expected]


def test_a_phrase_cut_off_by_truncation_has_no_tokens(tokenizer):
    caption = "a " * 300 + "zebra"
    encoding = tokenizer.encode(caption)

    assert len(encoding.ids) == 256
    assert positive_tokens(encoding, [(600, 605)]) == []
    assert positive_tokens(encoding, [(504, 512)]) == []
    assert positive_tokens(encoding, [(502, 507)]) == [252, 253, 254]


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path: Path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[MASK]\nword\n")
    with pytest.raises(ValueError, match=r"lacks \[CLS\], \[SEP\]"):
        load_vocab(path)
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nword\nword\n")
    with pytest.raises(ValueError, match="line 7 repeats 'word' of line 6"):
        load_vocab(path)
