import asyncio, grpc
from tests.support.stores import Gate, meddled
from tests.support.requests import good
from tests.support.wire import serving, change
async def test_x(sqlite_store, catalogue, clock):
    bad=0
    for n in range(40):
        gate=Gate(sqlite_store.records)
        async with serving(meddled(sqlite_store, records=gate), catalogue, clock) as wire:
            k=60
            calls=[wire.queries.BatchCheckConsents(good("BatchCheckConsents", batch__subject_ids=["a"], batch__purpose_ids=["newsletter"])) for _ in range(k)]
            await gate.reached.wait()
            for _ in range(30): await asyncio.sleep(0.001)
            d=asyncio.ensure_future(wire.server.drain(10))
            for _ in range(n%7): await asyncio.sleep(0)
            gate.opened.set()
            for c in calls:
                try: await c
                except grpc.aio.AioRpcError as e:
                    bad+=1; print(n, e.code(), e.details())
            await d
    print("BAD", bad)
