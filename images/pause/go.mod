module omnibase.local/images/pause

go 1.26
