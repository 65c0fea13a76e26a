// Pins the schema of ExternalSecret that tests hold our objects against; nothing is built from it.
module omnibase.local/tests/external-secrets

go 1.26

require github.com/external-secrets/external-secrets v1.3.2
