import type { DatabaseSync } from 'node:sqlite'

interface Write {
  run: () => unknown
  resolve: (value: unknown) => void
  reject: (error: unknown) => void
}

/**
 * Gathers the writes of one turn of the event loop into one transaction: with `synchronous=FULL` each commit waits for
 * the disk, and many requests can share that wait.
 */
export class GroupCommit {
  readonly #database: DatabaseSync
  #waiting: Write[] = []
  #scheduled = false

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** Runs `run` in the next transaction; resolves with its result once that is on the disk. */
  write<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run, resolve: resolve as (value: unknown) => void, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.flush())
    })
  }

  /** Commits what is waiting now. */
  flush(): void {
    this.#scheduled = false
    const writes = this.#waiting
    if (writes.length === 0) return
    this.#waiting = []
    try {
      const results = this.#inTransaction(() => writes.map(({ run }) => run()))
      writes.forEach(({ resolve }, index) => {
        resolve(results[index])
      })
    } catch {
      // One of them failed and took the others along: each on its own, so that only the faulty one is told.
      for (const { run, resolve, reject } of writes) {
        try {
          resolve(this.#inTransaction(run))
        } catch (error) {
          reject(error)
        }
      }
    }
  }

  #inTransaction<T>(run: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = run()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }
}
