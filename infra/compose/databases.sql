-- MLflow's own database is made by the image (POSTGRES_DB).
CREATE DATABASE readings;
