import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchRoute, type Route } from '../index.ts'

const route = (text: string, extra: Partial<Route> = {}): Route => {
  const [method, path] = text.split(' ') as [string, string]
  return { method, path, kind: 'httpApi', payload: '2.0', ...extra }
}
const routes = [
  route('GET /users'),
  route('GET /users/{id}'),
  route('GET /users/me'),
  route('ANY /users/{id}'),
  route('POST /files/{path+}'),
  route('GET /{proxy+}'),
  route('GET /users/{id}/posts/{post}'),
  route('ANY /{default+}', { catchAll: true }),
]
const match = (method: string, path: string) => {
  const found = matchRoute(routes, method, path)
  return found && [`${found.route.method} ${found.route.path}`, found.pathParameters]
}

test('literal before parameter before greedy, a verb before ANY, the catch-all last', () => {
  assert.deepEqual(match('GET', '/users'), ['GET /users', {}])
  assert.deepEqual(match('GET', '/users/'), ['GET /users', {}])
  assert.deepEqual(match('GET', '/users/me'), ['GET /users/me', {}])
  assert.deepEqual(match('GET', '/users/7'), ['GET /users/{id}', { id: '7' }])
  assert.deepEqual(match('PUT', '/users/7'), ['ANY /users/{id}', { id: '7' }])
  assert.deepEqual(match('GET', '/users/7/posts/9'), ['GET /users/{id}/posts/{post}', { id: '7', post: '9' }])
  assert.deepEqual(match('GET', '/a/b/c'), ['GET /{proxy+}', { proxy: 'a/b/c' }])
  assert.deepEqual(match('POST', '/files/a/b'), ['POST /files/{path+}', { path: 'a/b' }])
  assert.deepEqual(match('POST', '/files'), ['ANY /{default+}', {}])
  assert.deepEqual(match('GET', '/'), ['ANY /{default+}', {}])
})

test('values keep their percent-encoding; names of Object’s own are values like others', () => {
  assert.deepEqual(match('GET', '/users/a%2Fb'), ['GET /users/{id}', { id: 'a%2Fb' }])
  assert.deepEqual(match('GET', '/users/__proto__'), ['GET /users/{id}', { id: '__proto__' }])
})

test('where nothing matches there is nothing', () => {
  assert.equal(matchRoute([route('GET /a')], 'POST', '/a'), undefined)
  assert.equal(matchRoute([route('GET /a')], 'GET', '/a/b'), undefined)
  assert.equal(matchRoute([], 'GET', '/'), undefined)
})
