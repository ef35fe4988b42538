/* Packets that the doctor of lbd-check sees. The first byte says which type of Ethernet it is. */
#include "doctor/packet.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x88cc };
	struct packet_in in;

	if (size > 0)
		packet_parse(types[data[0] % 4], data + 1, size - 1, &in);
	return 0;
}
