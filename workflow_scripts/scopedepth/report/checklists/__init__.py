"""What a study has recorded of a model, under the items of published checklists."""
