module omnibase.local/images/rollout-analysis

go 1.26
