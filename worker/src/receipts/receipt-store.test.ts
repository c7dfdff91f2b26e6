import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Hex } from '@peerhost/protocol'
import { ReceiptStore } from './receipt-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'peerhost-receipts-'))
after(() => rmSync(folder, { recursive: true }))

const hash = (byte: number): Hex => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`
const receipt = (byte: number) => ({
  assignmentHash: hash(byte),
  receiptHash: hash(byte + 1),
  frame: new Uint8Array([byte]),
})

test('receipts outlive their process, also one that did not close the database', async () => {
  const path = join(folder, 'kept.sqlite')
  const first = new ReceiptStore(path, 'boot 1')
  await first.save(receipt(1))
  const second = new ReceiptStore(path, 'boot 1')
  assert.deepEqual([...second.find(hash(1))!], [1])
  assert.equal(second.has(hash(2)), true)
  assert.equal(second.createdMs, first.createdMs)
  first.close()
  second.close()
})

test('where the machine has started anew, requests from before are older than the database', async () => {
  const path = join(folder, 'rebooted.sqlite')
  const before = new ReceiptStore(path, 'boot 1')
  await before.save(receipt(1))
  const rebootedAt = Date.now()
  const after = new ReceiptStore(path, 'boot 2')
  assert.ok(after.createdMs >= rebootedAt + 30_000) // a clock may be ahead by that much
  assert.deepEqual([...after.find(hash(1))!], [1])
  after.close()
  const again = new ReceiptStore(path, 'boot 2')
  assert.equal(again.createdMs, after.createdMs)
  again.close()
  before.close()
})

test('a database that was closed is as old as it was, wherever it is opened again', async () => {
  const path = join(folder, 'closed.sqlite')
  const before = new ReceiptStore(path, 'boot 1')
  before.close()
  const after = new ReceiptStore(path, 'boot 2')
  assert.equal(after.createdMs, before.createdMs)
  after.close()
})

test('receipts of one turn are all there, and each is told', async () => {
  const store = new ReceiptStore(join(folder, 'turn.sqlite'))
  await Promise.all([10, 20, 30].map((byte) => store.save(receipt(byte))))
  assert.deepEqual(
    [10, 20, 30].map((byte) => store.has(hash(byte + 1))),
    [true, true, true],
  )
  await assert.rejects(store.save(receipt(10)), /UNIQUE/)
  store.close()
})
