module omnibase.local/images/certificate-exporter

go 1.26
