module omnibase.local/images/database-watchdog

go 1.26
