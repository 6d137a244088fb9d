"""What deploys the product: database migrations, Kafka, set-up."""
