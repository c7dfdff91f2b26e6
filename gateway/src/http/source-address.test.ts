import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { callerOf, canonicalAddress, sourceAddress, trustedProxies } from './source-address.ts'

const request = (remoteAddress: string, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage

test('addresses have one form each', () => {
  assert.equal(canonicalAddress('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(canonicalAddress('2001:DB8:0:0:0:0:0:1'), '2001:db8::1')
  assert.equal(canonicalAddress('fe80::1%eth0'), 'fe80::1')
  assert.equal(canonicalAddress('[::1]'), '::1')
  assert.equal(canonicalAddress('example.com'), undefined)
})

test('x-forwarded-for counts only from a trusted proxy, and only up to the first that is none', () => {
  const none = trustedProxies([])
  const some = trustedProxies(['10.0.0.0/8', '127.0.0.1'])
  assert.equal(sourceAddress(request('198.51.100.1', '192.0.2.1'), none), '198.51.100.1')
  assert.equal(sourceAddress(request('198.51.100.1', '192.0.2.1'), some), '198.51.100.1')
  assert.equal(sourceAddress(request('127.0.0.1', '6.6.6.6, 192.0.2.1, 10.1.1.1'), some), '192.0.2.1')
  assert.equal(sourceAddress(request('127.0.0.1', 'rubbish'), some), '127.0.0.1')
})

test('a caller is an address, of IPv6 the network that one subscriber has all of', () => {
  assert.equal(callerOf('192.0.2.1'), '192.0.2.1')
  assert.equal(callerOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64')
  assert.equal(callerOf('2001:db8:1:2::9'), '2001:db8:1:2::/64')
  assert.equal(callerOf('2001:db8::1'), '2001:db8:0:0::/64')
  assert.equal(callerOf('2001:db8:0:1::'), '2001:db8:0:1::/64')
  assert.equal(callerOf('::1'), '0:0:0:0::/64')
})
