/* The floor of what an echo of unicast's datagrams can cost: one thread, epoll, one socket per call,
 * one receive and one send per datagram.
 *
 *   cc -O2 -o unicast_floor unicast_floor.c && ./unicast_floor 500
 *
 * It sends datagrams back as they come to wherever they come from, and has no event socket beside
 * them. Loopback only. It says its ports, one for each call, on one line.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { LONGEST = 4096, EVENTS = 256 };

static int answer(int poll, int number)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) ||
	    getsockname(fd, (struct sockaddr *)&address, &length) ||
	    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event))
		return 0;
	printf("%s%d", number ? "," : "", ntohs(address.sin_port));
	return 1;
}

static void serve(int fd)
{
	unsigned char datagram[LONGEST];
	struct sockaddr_in from;
	socklen_t length = sizeof from;
	ssize_t got = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &length);

	if (got > 0)
		sendto(fd, datagram, (size_t)got, 0, (struct sockaddr *)&from, length);
}

int main(int count, char **words)
{
	int calls = count > 1 ? atoi(words[1]) : 1;
	int poll = epoll_create1(0);

	printf("listening on ");
	for (int number = 0; number < calls; number++) {
		if (!answer(poll, number)) {
			perror("unicast_floor");
			return 1;
		}
	}
	printf("\n");
	fflush(stdout);
	for (;;) {
		struct epoll_event events[EVENTS];
		int ready = epoll_wait(poll, events, EVENTS, -1);

		for (int i = 0; i < ready; i++)
			serve(events[i].data.fd);
	}
}
