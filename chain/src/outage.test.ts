import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PeerHostError } from '@peerhost/protocol'
import { Outage } from './index.ts'

const gone = () => new PeerHostError('PH_CHAIN_UNREACHABLE', { url: 'node', detail: 'gone' })

test('what fails again and again is said once, what is new at once, and that it is over', () => {
  const said: string[] = []
  const outage = new Outage({
    onFailure: ({ code }, count) => said.push(`${code} ${count}`),
    onOver: (count) => said.push(`over ${count}`),
  })
  outage.worked()
  for (let i = 0; i < 5; i++) outage.failed(gone())
  outage.failed(new PeerHostError('PH_CHAIN_NO_FUNDS', { address: '0x' }))
  outage.worked()
  outage.worked()
  outage.failed(gone())
  assert.deepEqual(said, ['PH_CHAIN_UNREACHABLE 1', 'PH_CHAIN_NO_FUNDS 6', 'over 6', 'PH_CHAIN_UNREACHABLE 1'])
})

test('what goes on is said again after a while', () => {
  const said: number[] = []
  const outage = new Outage({ onFailure: (_, count) => said.push(count), everyMs: 0 })
  for (let i = 0; i < 3; i++) outage.failed(gone())
  assert.deepEqual(said, [1, 2, 3])
})
