/** Tables of the SQLite store; integers of the chain are decimal text. */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS payments (
  ref TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  binding TEXT NOT NULL,
  "authorization" TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  transaction_hash TEXT,
  answer BLOB
);
CREATE INDEX IF NOT EXISTS payments_by_age ON payments (created_at);
CREATE INDEX IF NOT EXISTS payments_open ON payments (state) WHERE state IN ('reserved', 'settling');

CREATE TABLE IF NOT EXISTS receipts (
  id INTEGER PRIMARY KEY,
  receipt_hash TEXT NOT NULL UNIQUE,
  leaf BLOB NOT NULL,
  anchor_by INTEGER NOT NULL,
  batch_index INTEGER
);
CREATE INDEX IF NOT EXISTS receipts_pending ON receipts (id) WHERE batch_index IS NULL;
CREATE INDEX IF NOT EXISTS receipts_by_batch ON receipts (batch_index) WHERE batch_index IS NOT NULL;

CREATE TABLE IF NOT EXISTS batches (
  batch_index INTEGER PRIMARY KEY,
  header_hash TEXT NOT NULL,
  header TEXT NOT NULL,
  data_cid TEXT NOT NULL,
  anchored INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS earnings (worker TEXT PRIMARY KEY, cumulative TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS logs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  function TEXT NOT NULL,
  size INTEGER NOT NULL,
  record TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS logs_by_function ON logs (function, id);
`
