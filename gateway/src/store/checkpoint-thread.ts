import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

// Takes what the log of a database holds into the database itself, in place of the gateway's event loop: it waits for the
// disk twice. Passive: nobody who reads or writes meanwhile waits for it.

const EVERY_MS = 1000

const database = new DatabaseSync(workerData as string)
database.exec('PRAGMA busy_timeout=5000')
const timer = setInterval(() => database.exec('PRAGMA wal_checkpoint(PASSIVE)'), EVERY_MS)
parentPort!.once('message', () => {
  clearInterval(timer)
  database.close()
})
