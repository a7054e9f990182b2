"""Tiny language models, randomly made, in folders as transformers writes them."""

import pytest
import torch
from pretrained.families import WORDS, save_tokenizer, tiny

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="session")
def family(tmp_path_factory):
    """Makes the folder of a tiny model of a family that knows :data:`WORDS`, once."""
    made = {}

    def folder(name, auto_class="AutoModelForCausalLM", **settings):
        key = name, auto_class, str(sorted(settings.items()))
        if key not in made:
            made[key] = str(tmp_path_factory.mktemp(name))
            transformers.logging.disable_progress_bar()
            transformers.logging.set_verbosity_error()
            tiny(name, len(WORDS), auto_class, **settings).save_pretrained(made[key])
            save_tokenizer(made[key])
        return made[key]

    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of models that know :data:`WORDS`, by their kind."""
    root = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    special = {"vocab_size": len(WORDS), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    bert = transformers.BertConfig(**sizes, **special, max_position_embeddings=12)
    gpt2 = transformers.GPT2Config(n_embd=8, n_layer=2, n_head=2, n_positions=12, **special)
    t5 = transformers.T5Config(
        d_model=8, d_kv=4, d_ff=16, num_layers=2, num_heads=2, decoder_start_token_id=0, **special
    )
    gemma = transformers.Gemma2Config(
        **sizes, **special, num_key_value_heads=2, head_dim=4, sliding_window=3, final_logit_softcapping=5.0
    )
    mamba = transformers.MambaConfig(hidden_size=8, state_size=4, num_hidden_layers=2, **special)
    models = {
        "bert": transformers.BertModel(bert),
        "gemma2": transformers.Gemma2ForCausalLM(gemma),
        "gpt2": transformers.GPT2LMHeadModel(gpt2),
        "t5": transformers.T5ForConditionalGeneration(t5),
        "llama": transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes, **special)),
        "mamba": transformers.MambaForCausalLM(mamba),
    }
    transformers.logging.disable_progress_bar()
    for name, model in models.items():
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        model.save_pretrained(root / name)
        save_tokenizer(root / name)
    return {name: str(root / name) for name in models}
