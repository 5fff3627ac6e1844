"""A study so small that tests can run it."""

from __future__ import annotations

from wfine_study.cells import StudySettings, clean_cell

SMALL = {
    "questions": [2, 3, 4, 5, 6, 7], "seed": 0, "seeds": [0, 1], "n_choice_seeds": 1,
    "n_generalisation_seeds": 2, "n_pairs": 12, "shares": [0.25, 0.5], "sloppy_share": 0.4,
    "losses": ["bradley_terry", "cross_entropy", "bradley_terry_margin"],
    "pair_plans": ["single", "nested", "both"], "sizes": [4, 8], "n_types_out": 4,
    "n_categories_out": 1, "values_out": [5], "n_policy_models": 8,
    "policy_sizes": [16],
    "n_test_chains": 4, "n_test_pairs": 8, "n_ifeval_pairs": 1, "n_train_queries": 4,
    "n_test_queries": 3,
    "reward": {
        "quantise": False, "precision": "fp32",
        "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "batch_size": 4,
        "micro_batch_size": 4, "n_epochs": 1, "max_tokens": 96, "center_coefficient": 0.01,
        "loss": "bradley_terry",
    },
    "policy": {
        "quantise": False, "precision": "fp32",
        "lora_r": 4, "lora_alpha": 8, "learning_rate": 5e-3, "n_steps": 1,
        "prompts_per_rollout": 2, "num_generations": 2, "updates_per_rollout": 1,
        "micro_batch_size": 4, "beta": 0.1, "temperature": 1.0, "max_new_tokens": 8,
        "answer_format": "plain",
    },
}  # fmt: skip
SETTINGS = StudySettings(**SMALL)
CLEAN = clean_cell(SETTINGS, 0)


def changed(**values) -> StudySettings:
    return StudySettings(**SMALL | values)
