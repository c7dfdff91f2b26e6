import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soak } from './soak.ts'

test('some hundred executions with random kills leave nothing behind', async () => {
  const result = await soak({ executions: 300, killEvery: 20 })
  assert.equal(result.wrong, 0)
  assert.ok(result.kills > 0)
  const failed = Object.entries(result.statuses).reduce((sum, [status, count]) => sum + (status === '0' ? 0 : count), 0)
  assert.ok(failed <= 2 * result.kills, JSON.stringify(result))
  const { processes, groups, mounts } = result.closed
  assert.deepEqual({ processes, groups, mounts }, { processes: 0, groups: 0, mounts: 0 })
  assert.ok(result.closed.descriptors <= result.before.descriptors, JSON.stringify(result))
})
