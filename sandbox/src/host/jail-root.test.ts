import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { buildJailRoot } from './jail-root.ts'

describe('the root of jails', () => {
  it('has the same modes whatever the umask of its worker', () => {
    const folder = mkdtempSync(join(tmpdir(), 'peerhost-root-'))
    const umask = process.umask(0o077)
    try {
      buildJailRoot(folder, '/bin/sh')
    } finally {
      process.umask(umask)
    }
    const device = statSync(join(folder, 'dev/null'))
    if (device.isCharacterDevice()) assert.equal(device.mode & 0o777, 0o666) // anyone may write to it
    rmSync(join(folder, 'dev'), { recursive: true })
    const modes = new Set<string>()
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const { mode } = statSync(join(entry.parentPath, entry.name))
      modes.add(`${entry.isDirectory() ? 'folder' : 'file'} ${(mode & 0o777).toString(8)}`)
    }
    assert.deepEqual([...modes].sort(), ['file 644', 'file 755', 'folder 755'])
    rmSync(folder, { recursive: true })
  })
})
