//! From a data set as it is handed out to the TSV lists that training reads.
