import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { needsSandbox } from './needs-sandbox.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PRELOAD = resolve(import.meta.dirname, 'skip-without-sandbox.ts')

/** The counts of node:test's summary for one file, run as scripts/test does where there is no sandbox. */
function countsOf(file: string): Promise<Record<string, number>> {
  // A test process inside a test process would report to the outer one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const args = [`--import=${PRELOAD}`, '--test', '--test-reporter=tap', file]
  return new Promise((done) => {
    execFile(process.execPath, args, { cwd: ROOT, env }, (_error, stdout) => {
      done(
        Object.fromEntries([...stdout.matchAll(/^# (\w+) (\d+)$/gm)].map(([, name, count]) => [name, Number(count)])),
      )
    })
  })
}

test('a test file that starts the network needs a sandbox, one that reads imports does not', () => {
  assert.equal(needsSandbox(ROOT, resolve(ROOT, 'test/src/processes.test.ts')), true)
  assert.equal(needsSandbox(ROOT, resolve(ROOT, 'test/src/import-direction.test.ts')), false)
})

test('without a sandbox the tests that need one are skipped and counted', async () => {
  const { tests, skipped, fail } = await countsOf('test/src/processes.test.ts')
  assert.ok(tests! > 0)
  assert.deepEqual({ skipped, fail }, { skipped: tests, fail: 0 })
})

test('without a sandbox the other tests run', async () => {
  const { pass, skipped } = await countsOf('scripts/lib/check-files.test.ts')
  assert.deepEqual({ pass, skipped }, { pass: 1, skipped: 0 })
})
