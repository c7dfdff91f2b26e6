import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Hex } from '@peerhost/protocol'
import { until } from '../testing/test-network.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { LogRecord, PaymentRecord } from './store.ts'

const folder = mkdtempSync(join(tmpdir(), 'peerhost-store-'))
after(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
const open = (file = join(folder, `${count++}.sqlite`), logBytes?: number) => new SqliteStore({ file, logBytes })
const hash = (n: number): Hex => `0x${n.toString(16).padStart(64, '0')}`
const payment = (n: number): PaymentRecord => ({
  ref: hash(n),
  state: 'reserved',
  binding: hash(9),
  authorization: '{}',
  expiresAt: Date.now() + 60_000,
  createdAt: Date.now(),
})
const receipt = (n: number, size = 10) => ({ receiptHash: hash(n), leaf: new Uint8Array(size), anchorBy: 1 })

test('of many that reserve one payment at once, one gets it', async () => {
  const store = open()
  const found = await Promise.all(Array.from({ length: 20 }, () => store.reserve(payment(1))))
  assert.equal(found.filter((record) => record === undefined).length, 1)
  await store.close()
})

test('a payment goes its way once, and only forwards', async () => {
  const store = open()
  await store.reserve(payment(1))
  await store.delivered(hash(1))
  assert.equal(store.payment(hash(1))!.state, 'reserved')
  await store.settling(hash(1), Uint8Array.of(1))
  await store.settled(hash(1), hash(2), Uint8Array.of(2), receipt(3))
  await store.release(hash(1))
  assert.equal(store.payment(hash(1))!.state, 'settled')
  assert.deepEqual([...store.payment(hash(1))!.answer!], [2])
  assert.equal(store.countPending(), 1)
  await store.prune(Date.now() + 3 * 24 * 3_600_000)
  assert.equal(store.payment(hash(1)), undefined)
  await store.close()
})

test('the answer of an authorization without end is forgotten, but not that it was used', async () => {
  const store = open()
  await store.reserve({ ...payment(1), expiresAt: Number.MAX_SAFE_INTEGER })
  await store.settling(hash(1), Uint8Array.of(1))
  await store.settled(hash(1), hash(2), Uint8Array.of(2), receipt(3))
  await store.prune(Date.now())
  assert.ok(store.payment(hash(1))!.answer)
  await store.prune(Date.now() + 3 * 24 * 3_600_000)
  assert.equal(store.payment(hash(1))!.state, 'settled')
  assert.equal(store.payment(hash(1))!.answer, undefined)
  await store.close()
})

test('what was written is there after the file is opened again', async () => {
  const file = join(folder, 'again.sqlite')
  const store = open(file)
  store.setMeta('key', 'value')
  store.addLog('a/b/c', { lines: 'line' } as LogRecord)
  await store.addReceipt(receipt(1))
  await store.close()
  const again = open(file)
  assert.equal(again.meta('key'), 'value')
  assert.equal(again.logs({ function: 'a/b/c', limit: 10 }).length, 1)
  assert.equal(again.createdAt, store.createdAt)
  assert.deepEqual(
    again.pendingReceipts(10, 1_000).map(({ receiptHash }) => receiptHash),
    [hash(1)],
  )
  await again.close()
})

test('receipts come out in batches of limited count and size, in order', async () => {
  const store = open()
  for (let n = 1; n <= 5; n++) await store.addReceipt(receipt(n, 100))
  const hashes = (limit: number, bytes: number) =>
    store.pendingReceipts(limit, bytes).map(({ receiptHash }) => receiptHash)
  assert.deepEqual(hashes(2, 10_000), [hash(1), hash(2)])
  assert.deepEqual(hashes(10, 300), [hash(1), hash(2), hash(3)])
  assert.deepEqual(hashes(10, 1), [hash(1)])
  await store.close()
})

test('a function’s logs stay within their limit, the newest are kept', async () => {
  const store = open(undefined, 10_000)
  const lines = 'x'.repeat(400)
  for (let n = 0; n < 100; n++) store.addLog('a/b/c', { durationMs: n, lines } as LogRecord)
  const read = () => store.logs({ function: 'a/b/c', limit: 1_000 })
  await until(() => read().at(-1)?.record.durationMs === 99, 'the last line')
  const kept = read()
  assert.ok(kept.length >= 15 && kept.length <= 25, String(kept.length))
  const [first, second] = kept
  assert.equal(store.logs({ function: 'a/b/c', since: first!.cursor, limit: 1 })[0]!.cursor, second!.cursor)
  await store.close()
})

test('a log that has become long starts anew', async () => {
  const file = join(folder, 'long.sqlite')
  const store = open(file)
  const logMegabytes = () => statSync(`${file}-wal`).size / 1024 / 1024
  for (let n = 0; logMegabytes() <= 64; n++) await store.addReceipt(receipt(n, 1_000_000))
  await until(() => logMegabytes() === 0, 'an empty log')
  await store.addReceipt(receipt(1_000_000))
  await store.close()
})

test('a write to a store that is closed is refused', async () => {
  const store = open()
  await store.close()
  await assert.rejects(store.addReceipt(receipt(1)), { code: 'PH_GATEWAY_STORE_FAILED' })
})
