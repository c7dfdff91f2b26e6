import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { ChildCheck } from './child-check.ts'
import { childrenOf } from './picture.ts'

// A shell plays the zygote, its child the execution. They live in this machine's own pid namespace, where every process is
// far on from number 1.

async function shell(): Promise<{ zygote: ChildProcess; child: number }> {
  const zygote = spawn('/bin/sh', ['-c', 'sleep 60 & echo; wait'], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(zygote.stdout!, 'data')
  return { zygote, child: childrenOf(zygote.pid!)[0]! }
}

test('a process whose number has jumped is not a fresh child, nor is any other process', async () => {
  const { zygote, child } = await shell()
  try {
    const check = new ChildCheck(zygote.pid!)
    assert.equal(check.isFreshChild(process.pid), false, 'not a child of the zygote')
    assert.equal(check.isFreshChild(zygote.pid!), false, 'the zygote itself')
    assert.equal(check.isFreshChild(child), false, 'far from process 1')
    assert.equal(check.isFreshChild(child), false, 'never twice')
    check.close()
  } finally {
    process.kill(child, 'SIGKILL')
    zygote.kill('SIGKILL')
  }
})

test('the next number is fresh, once', async () => {
  const { zygote, child } = await shell()
  try {
    const check = new ChildCheck(zygote.pid!, zygote.pid!)
    assert.equal(check.isFreshChild(child), true)
    assert.equal(check.isFreshChild(child), false)
    check.close()
  } finally {
    process.kill(child, 'SIGKILL')
    zygote.kill('SIGKILL')
  }
})
