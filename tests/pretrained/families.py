"""Tiny models of every family that transformers knows, randomly made from their configs."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = ["[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "on", "a", "mat", "."]

SIZES = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "word_embed_proj_dim", "embedding_size", "dim"), 16),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "num_key_value_heads"), 2),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads", "linear_num_value_heads"), 2),
    **dict.fromkeys(
        ("intermediate_size", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "hidden_dim", "n_inner"), 32
    ),
    **dict.fromkeys(("head_dim", "d_kv", "kv_channels", "v_head_dim", "qk_rope_head_dim", "qk_nope_head_dim"), 8),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "linear_key_head_dim", "linear_value_head_dim", "state_size"), 8),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "rotary_dim", "time_step_rank"), 4),
    **dict.fromkeys(("mamba_d_state", "ssm_state_size", "mamba_head_dim", "mamba_d_head"), 8),
    **dict.fromkeys(("num_mamba_heads", "mamba_n_heads", "mamba_dt_rank", "chunk_size", "mamba_chunk_size"), 4),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "d_ff", "lru_width"), 16),
    **dict.fromkeys(("linear_num_key_heads", "num_experts_per_tok"), 2),
    **dict.fromkeys(("n_group", "n_groups", "topk_group", "first_k_dense_replace", "mamba_n_groups"), 1),
    **dict.fromkeys(("max_position_embeddings", "n_positions"), 24),
    "sliding_window": 3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
"""What configs call their sizes."""

MORE = {
    "bert": {"is_decoder": True},
    "codegen": {"n_head": 4, "rotary_dim": 2},
    "cohere": {"logit_scale": 0.3},
    "gemma2": {"final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 3},
    "granite": {"logits_scaling": 3.0, "embedding_multiplier": 2.0},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2, "use_mamba_kernels": False},
    "mamba2": {"num_heads": 4},
    "roberta": {"is_decoder": True},
}
"""What some families need besides, or are told apart by."""


def tiny(family, vocab_size=10, auto_class="AutoModelForCausalLM", **more):
    """A model of a family, in evaluation, of weights so large that its log-probabilities spread over some nats."""
    import transformers

    config_class = transformers.CONFIG_MAPPING[family]
    default, renamed = config_class(), getattr(config_class, "attribute_map", {})
    settings = {
        name: size
        for name, size in (SIZES | {"vocab_size": vocab_size}).items()
        if is_set(config_class, name)
        and name not in renamed
        and (name.endswith("_token_id") or isinstance(getattr(default, name, None), int))
    }
    if is_set(config_class, "layer_types") and getattr(default, "layer_types", None):
        settings["layer_types"] = (list(dict.fromkeys(default.layer_types)) * 2)[:2]
    config = config_class(**(settings | MORE.get(family, {}) | more))
    make = getattr(transformers, auto_class).from_config
    with torch.device("meta"):
        size = sum(parameter.numel() for parameter in make(config).parameters())
    if size > 3e6:
        raise ValueError(f"{family} has {size} parameters")
    torch.manual_seed(0)
    model = make(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_((0.3 if parameter.dim() > 1 else 0.1) * torch.randn_like(parameter))
    return model.eval()


def is_set(config_class, name):
    """Whether a name of a config is one to be set rather than computed."""
    return not isinstance(getattr(config_class, name, None), property)


def save_tokenizer(folder, words=WORDS):
    """Write a tokenizer of words into a folder."""
    library = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, words[0]))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    library.save(f"{folder}/tokenizer.json")
