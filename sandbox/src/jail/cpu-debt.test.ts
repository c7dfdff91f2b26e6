import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CpuDebt } from './cpu-debt.ts'

const QUOTA = 0.1
/** Two ticks of the kernel's, as the quota pays for them, and a start and an end that the child does not see. */
const INEXACT_MS = 20 / QUOTA + 200

/** Has a child of this process use CPU time; gives how much that was, in milliseconds. */
function burn(ms: number): number {
  const cpu = '(() => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 })()'
  return Number(execFileSync(process.execPath, ['-e', `while (${cpu} < ${ms}) {} console.log(${cpu})`]))
}

test('what was used beyond the quota is owed until time has paid for it', async (t) => {
  const debt = new CpuDebt(process.pid, QUOTA)
  t.after(() => debt.close())
  assert.equal(debt.owed(), 0)
  const started = performance.now()
  const near = (owed: number, used: number) => {
    const expected = used / QUOTA - (performance.now() - started)
    assert.ok(Math.abs(owed - expected) < INEXACT_MS, `${owed} ms are owed, not ${expected}`)
  }
  let used = burn(200)
  near(debt.owed(), used)
  used += burn(200)
  near(debt.owed(), used)
  await sleep(300)
  near(debt.owed(), used)
})

test('a little is not owed, and time without use is no credit', async (t) => {
  const debt = new CpuDebt(process.pid, 1)
  t.after(() => debt.close())
  burn(50) // one thread
  assert.equal(debt.owed(), 0)
  const other = new CpuDebt(process.pid, QUOTA)
  t.after(() => other.close())
  await sleep(2000)
  assert.equal(other.owed(), 0)
  burn(300)
  assert.ok(other.owed() > 0)
})
