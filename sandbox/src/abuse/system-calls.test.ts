import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { createHost, type Host } from '../host/host.ts'
import { NODE_FLAGS } from '../jail/node-flags.ts'
import { spawnInJail } from '../jail/spawn-in-jail.ts'
import { findNode } from '../locate/find-node.ts'
import { findNsjail } from '../locate/find-nsjail.ts'

// A child that is compromised natively makes system calls of its own. The numbers are those of x86-64.

const EPERM = 1
const ENOSYS = 38
const ENOTSUP = 95
const EAFNOSUPPORT = 97
const SIGSYS = 'signal 31'

const expected: Record<string, number | string> = {
  ...Object.fromEntries(
    [
      'ptrace',
      'unshare',
      'mount',
      'umount',
      'pivot_root',
      'chroot',
      'setns',
      'keyctl',
      'add_key',
      'bpf',
      'perf',
      'userfaultfd',
      'process_vm_readv',
      'pidfd_getfd',
      'kcmp',
      'personality',
      'sethostname',
      'open_by_handle',
      'x32',
    ].map((name) => [name, SIGSYS]),
  ),
  ...Object.fromEntries(
    [
      'clone_newuser',
      'clone_parent',
      'fork',
      'vfork_like_clone',
      'memfd_create',
      'shmget',
      'semget',
      'msgget',
      'mq_open',
      'kill_zygote',
      'kill_all',
      'tgkill',
      'tkill',
      'sigqueue',
      'prlimit',
      'setpriority',
      'affinity',
      'affinity_of_thread',
      'scheduler',
      'ioprio',
      'setown',
      'lease',
      'notify',
      'setpgid',
      'execve',
      'execveat',
      'seccomp',
      'exec_mapping',
      'robust_list',
    ].map((name) => [name, EPERM]),
  ),
  ...Object.fromEntries(
    ['clone3', 'io_uring', 'openat2', 'pidfd_open', 'process_madvise'].map((name) => [name, ENOSYS]),
  ),
  ...Object.fromEntries(
    ['vsock', 'inet', 'inet6', 'packet', 'alg', 'netlink_audit'].map((name) => [name, EAFNOSUPPORT]),
  ),
  tmpfile: ENOTSUP,
}

let host: Host
before(() => {
  host = createHost({ nsjail: findNsjail(), node: findNode(), cgroups: 'required', onLog: () => {} })
})
after(() => host.close())

test('system calls that reach beyond an execution are refused or end it', {
  skip: process.arch !== 'x64' && 'numbers of x86-64',
}, async () => {
  copyFileSync(new URL('fixtures/system-calls.cjs', import.meta.url), join(host.jailRoot, 'app/system-calls.cjs'))
  const slot = host.takeSlot()
  const folder = join(host.runFolder.slots, String(slot))
  mkdirSync(folder)
  const argv = ['/node', ...NODE_FLAGS, '/app/system-calls.cjs']
  const child = spawnInJail({ host, folder, argv, outsideId: host.outsideId(slot), passStatus: true })
  child.stdin!.end()
  const [output, errors] = await Promise.all([text(child.stdout!), text(child.stderr!)])
  assert.ok(output, errors)
  assert.deepEqual(
    JSON.parse(output),
    Object.fromEntries(Object.keys(JSON.parse(output)).map((name) => [name, expected[name]])),
  )
  assert.deepEqual(Object.keys(JSON.parse(output)).sort(), Object.keys(expected).sort())
})
