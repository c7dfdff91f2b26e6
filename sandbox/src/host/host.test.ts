import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findNode } from '../locate/find-node.ts'
import { findNsjail } from '../locate/find-nsjail.ts'
import { createHost, type Host } from './host.ts'

const NOBODY = 65_534

let host: Host
before(() => {
  host = createHost({ nsjail: findNsjail(), node: findNode(), cgroups: 'auto', onLog() {} })
})
after(() => host.close())

// A stranger's connection to a jail's socket ends the jail.
test('nobody else on the machine gets to a slot', () => {
  const slot = host.takeSlot()
  const folder = host.makeSlotFolder(slot)
  mkdirSync(join(folder, 'run'), { mode: 0o755 })
  const { mode, uid } = statSync(folder)
  assert.deepEqual([mode & 0o777, uid], [0o700, host.outsideId(slot) ?? process.getuid!()])
  const list = (user?: number) => spawnSync('/bin/ls', [join(folder, 'run')], { uid: user, gid: user }).status
  assert.equal(list(), 0)
  if (process.getuid!() === 0) assert.notEqual(list(NOBODY), 0)
})
