import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { deferred } from '../deferred.ts'
import type { Host } from '../host/host.ts'
import { Jail, type JailKind } from '../jail/jail.ts'
import { BlankJails } from './blank-jails.ts'
import { MemoryBudget } from './memory-budget.ts'

const COUNT = 2
const kind = (memorySize: number): JailKind => ({ memorySize, deterministic: true, network: false })

/** A jail that does nothing but end. */
function standIn(running: Set<object>): Jail {
  const gone = deferred()
  const jail = {
    gone: gone.promise,
    onEnd() {},
    close() {
      if (!running.delete(jail)) return
      jail.onEnd()
      gone.resolve()
    },
  }
  running.add(jail)
  return jail as unknown as Jail
}

test('all jails of a kind that is not in use any more end', async () => {
  const running = new Set<object>()
  mock.timers.enable({ apis: ['setTimeout'] })
  mock.method(Jail, 'start', async () => standIn(running))
  try {
    const blanks = new BlankJails({} as Host, new MemoryBudget(8192), COUNT, () => {})
    for (const memorySize of [128, 256, 512, 1024, 2048, 3008]) {
      blanks.use(kind(memorySize))
      for (let step = 0; step < 10; step++) {
        mock.timers.tick(1000)
        await turn()
      }
    }
    assert.deepEqual(
      [128, 256, 512, 1024, 2048, 3008].map((memorySize) => blanks.has(kind(memorySize))),
      [false, false, true, true, true, true],
    )
    assert.equal(running.size, 4 * COUNT)
    assert.equal(blanks.size, 4 * COUNT)
    await blanks.close()
    assert.equal(running.size, 0)
  } finally {
    mock.timers.reset()
    mock.restoreAll()
  }
})
