import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEgress } from './egress.ts'

test('an egress entry is a host with its web ports, or with one port', () => {
  assert.deepEqual(parseEgress('API.example.com.'), {
    host: 'api.example.com',
    ports: [443, 80],
    text: 'api.example.com',
  })
  assert.deepEqual(parseEgress(' db.example.com:05432'), {
    host: 'db.example.com',
    ports: [5432],
    text: 'db.example.com:5432',
  })
  assert.deepEqual(parseEgress('[2001:DB8::1]:8080'), {
    host: '2001:db8::1',
    ports: [8080],
    text: '[2001:db8::1]:8080',
  })
  assert.deepEqual(parseEgress('192.0.2.7').ports, [443, 80])
})

test('what is no host is refused', () => {
  const entries = [
    '',
    '*.example.com',
    'https://example.com',
    '10.0.0.0/8',
    'a b',
    'a:0',
    'a:65536',
    'a:b',
    '[::1',
    '[:1]',
    '-a.com',
    'a..b',
    '2001:db8::1',
    'ä.example',
  ]
  for (const entry of entries) assert.throws(() => parseEgress(entry), { code: 'PH_CONFIG_EGRESS_INVALID' }, entry)
})
