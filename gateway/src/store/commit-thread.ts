import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Commit, Committed, Write } from './group-commit.ts'

// Waits for the disk in place of the gateway's event loop.

const database = new DatabaseSync(workerData as string)
database.exec('PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000')
const statements = new Map<string, StatementSync>()

function run(write: Write): number {
  let first: number | undefined
  for (const [sql, ...values] of write) {
    let statement = statements.get(sql)
    if (!statement) {
      statement = database.prepare(sql)
      statements.set(sql, statement)
    }
    const { changes } = statement.run(...values)
    first ??= Number(changes)
  }
  return first ?? 0
}

function inTransaction<T>(work: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/** One transaction for all; where one of them fails, each on its own, so that only the faulty one is told. */
function commit(writes: readonly Write[]): Committed['results'] {
  try {
    return inTransaction(() => writes.map(run))
  } catch {
    return writes.map((write) => {
      try {
        return inTransaction(() => run(write))
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    })
  }
}

parentPort!.on('message', ({ writes }: Commit) => {
  if (writes.length === 0) {
    database.close()
    parentPort!.close()
  } else parentPort!.postMessage({ results: commit(writes) } satisfies Committed)
})
