"""The page of an ablation: what it says of the paper's claims, table by table."""
