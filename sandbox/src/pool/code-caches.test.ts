import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Hex } from '@peerhost/protocol'
import type { Host } from '../host/host.ts'
import { CodeCaches, deleteOldest, toFile } from './code-caches.ts'

const folder = mkdtempSync(join(tmpdir(), 'peerhost-caches-'))
after(() => rmSync(folder, { recursive: true }))

const digest = (n: number): Hex => `0x${String(n).repeat(64)}`
for (const n of [1, 2, 3, 4]) {
  const path = join(folder, digest(n))
  writeFileSync(path, toFile(Buffer.alloc(100, n)))
  utimesSync(path, n, n)
}
const host = {} as Host // a cache that is on the disk needs none

test('the newest caches are kept in memory, up to a limit', async () => {
  const caches = new CodeCaches(host, folder, 250)
  for (const n of [1, 2, 3]) assert.equal((await caches.make(digest(n), Buffer.alloc(0)))?.[0], n)
  assert.deepEqual(
    [1, 2, 3].map((n) => caches.known(digest(n))?.[0]),
    [undefined, 2, 3],
  )
  assert.equal((await caches.make(digest(1), Buffer.alloc(0)))?.[0], 1)
  assert.equal(caches.known(digest(2)), undefined)
})

test('a file that has lost something does not count', async () => {
  const torn = mkdtempSync(join(folder, '../peerhost-caches-'))
  after(() => rmSync(torn, { recursive: true }))
  writeFileSync(join(torn, digest(5)), toFile(Buffer.alloc(100, 5)).fill(0, 90))
  writeFileSync(join(torn, digest(6)), '')
  const caches = new CodeCaches(host, torn)
  // There is no host here that could make them anew.
  assert.deepEqual(await Promise.all([5, 6].map((n) => caches.make(digest(n), Buffer.alloc(0)))), [
    undefined,
    undefined,
  ])
})

test('the newest files are kept, up to a limit', () => {
  deleteOldest(folder, 300)
  assert.deepEqual(readdirSync(folder).sort(), [digest(3), digest(4)])
})
