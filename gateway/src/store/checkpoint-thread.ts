import { statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

// Takes what the log of a database holds into the database itself, in place of the gateway's event loop: it waits for the
// disk twice. Passive: nobody who reads or writes meanwhile waits for it. But what is written while it works keeps the log
// from starting anew: where it has become long, whoever writes next waits for the last of it.

const EVERY_MS = 1000
const LONG_LOG = 64 * 1024 * 1024

const file = workerData as string
const database = new DatabaseSync(file)
database.exec('PRAGMA busy_timeout=5000')
const timer = setInterval(() => {
  database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  if (statSync(`${file}-wal`).size > LONG_LOG) database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
}, EVERY_MS)
parentPort!.once('message', () => {
  clearInterval(timer)
  database.close()
})
