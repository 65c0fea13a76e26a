module omnibase.local/images/alert-receiver

go 1.26
