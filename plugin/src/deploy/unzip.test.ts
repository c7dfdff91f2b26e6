import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { unzip } from './unzip.ts'

/** Writes a zip of these files, deflated unless told otherwise (APPNOTE.TXT). */
function zipOf(files: Record<string, string>, { method = 8 } = {}): Buffer {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const [name, text] of Object.entries(files)) {
    const data = method === 8 ? deflateRawSync(text) : Buffer.from(text)
    const head = Buffer.alloc(30)
    head.writeUInt32LE(0x04034b50, 0)
    head.writeUInt16LE(method, 8)
    head.writeUInt16LE(Buffer.byteLength(name), 26)
    const entry = Buffer.alloc(46)
    entry.writeUInt32LE(0x02014b50, 0)
    entry.writeUInt16LE(method, 10)
    entry.writeUInt32LE(data.length, 20)
    entry.writeUInt32LE(Buffer.byteLength(text), 24)
    entry.writeUInt16LE(Buffer.byteLength(name), 28)
    entry.writeUInt32LE(offset, 42)
    const local = Buffer.concat([head, Buffer.from(name), data])
    locals.push(local)
    central.push(entry, Buffer.from(name))
    offset += local.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(Object.keys(files).length, 10)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...locals, ...central, end])
}

test('files come out as they went in; what would leave the folder or is too much does not', async (t) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'peerhost-unzip-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const files = { 'src/a.js': 'exports.handler = 1', 'b.txt': '', 'src/': '' }
  for (const method of [0, 8]) {
    await unzip(zipOf(files, { method }), dir, 1000)
    assert.equal(readFileSync(path.join(dir, 'src/a.js'), 'utf8'), files['src/a.js'])
    assert.equal(readFileSync(path.join(dir, 'b.txt'), 'utf8'), '')
  }
  await assert.rejects(unzip(zipOf({ '../out.js': 'x' }), dir, 1000), /outside/)
  await assert.rejects(unzip(zipOf({ '/etc/out.js': 'x' }), dir, 1000), /outside/)
  await assert.rejects(unzip(zipOf({ 'a.js': 'x'.repeat(2000) }), dir, 1000), /more than/)
  await assert.rejects(unzip(Buffer.from('not a zip'), dir, 1000), /not a zip/)
  const lying = zipOf({ 'a.js': 'x'.repeat(500) })
  lying.writeUInt32LE(5, lying.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24)
  await assert.rejects(unzip(lying, dir, 1000))
})
