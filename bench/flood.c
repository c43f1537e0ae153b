/*
 * Load past what a server can carry, and clients beside it who ask little.
 *
 *   flood key=value ...
 *     port=N            of 127.0.0.1, where the server is
 *     questions=FILE    lines "name type", as dnsperf reads them; asked in order, over and over
 *     calm= flood= after=  seconds of three phases: the flood is in the second alone
 *     rate=N            queries per second of the flood; 0: as fast as it goes
 *     sources=N         addresses that the flood comes from, 127.0.0.2 and those after it
 *     sockets=N         ports that it comes from, in turns over the addresses
 *     others=N          clients beside it, each of an address of its own, 127.0.1.1 and those after it
 *     others_rate=N     queries per second of each of them, in all three phases
 *     same=1            the others have the flood's addresses
 *
 * Prints, for who reads it with a program:
 *     flood SENT ANSWERED P50 P99              of the flood, latencies in microseconds
 *     had PART                                  of its time, the part that this program had a core
 *     other PHASE AT LATENCY                    each query of the others, microseconds from the run's start; -1: lost
 *
 * An other's reply is timed by the kernel, when it was queued for the client, so that what this program
 * is doing just then doesn't count. One thread, so that flood and others don't wait for each other's turns.
 * Bounded: a minute a phase, 100 million queries. Loopback alone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 32,
    ROOM = 2048,
    IDS = 1 << 16,
    MOST_SOCKETS = 256,
    MOST_OTHERS = 1000,
    QUESTION = 272, /* header, the longest name, type and class */
    BUCKETS = 200000, /* of latency, 10 us each */
};

static const int64_t SECOND = 1000000000, MOST_QUERIES = 100000000, LOST_AFTER = SECOND;

struct question { uint16_t length; unsigned char octets[QUESTION]; };
struct client { int sock; uint16_t next; int64_t *sent; };
struct sample { int64_t at; int32_t latency; int8_t phase; };

static struct question *questions;
static size_t question_count, next_question;
static struct client flooders[MOST_SOCKETS], others[MOST_OTHERS];
static struct sample *samples;
static size_t sample_count, sample_room;
static size_t *asked[MOST_OTHERS]; /* by id: the sample it belongs to, plus one */
static uint32_t histogram[BUCKETS];
static int64_t sent, answered;

static int port, socket_count = 16, source_count = 1, other_count = 0, same = 0;
static double calm_s = 0, flood_s = 3, after_s = 0, rate = 0, others_rate = 100;
static const char *file;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec * SECOND + at.tv_nsec;
}

static void *room_for(size_t count, size_t size) {
    void *room = calloc(count, size);
    if (room == NULL)
        fail("memory");
    return room;
}

static int type_number(const char *type) {
    static const struct { const char *name; int number; } types[] = {{"A", 1}, {"PTR", 12}, {"AAAA", 28}, {"SRV", 33}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].name) == 0)
            return types[i].number;
    fprintf(stderr, "flood: no type %s here\n", type);
    exit(2);
}

static struct question parse(char *name, const char *type) {
    struct question made = {.length = 12, .octets = {[2] = 1, [5] = 1}}; /* RD, one question */
    for (char *label = strtok(name, "."); label != NULL; label = strtok(NULL, ".")) {
        size_t length = strlen(label);
        if (length > 63 || made.length + length + 6 > QUESTION) {
            fprintf(stderr, "flood: a name is too long\n");
            exit(2);
        }
        made.octets[made.length++] = (unsigned char)length;
        memcpy(made.octets + made.length, label, length);
        made.length += length;
    }
    int number = type_number(type);
    unsigned char end[] = {0, (unsigned char)(number >> 8), (unsigned char)number, 0, 1};
    memcpy(made.octets + made.length, end, sizeof end);
    made.length += sizeof end;
    return made;
}

/* Those of one length together, since the kernel cuts into equal parts; otherwise in the order of the file. */
static void order_by_length(void) {
    struct question *ordered = room_for(question_count, sizeof *ordered);
    size_t at = 0;
    for (int length = 0; length <= QUESTION; length++)
        for (size_t i = 0; i < question_count; i++)
            if (questions[i].length == length)
                ordered[at++] = questions[i];
    free(questions);
    questions = ordered;
}

static void read_questions(void) {
    FILE *lines = fopen(file, "r");
    char name[300], type[16];
    size_t room = 0;
    if (lines == NULL)
        fail(file);
    while (fscanf(lines, "%299s %15s", name, type) == 2) {
        if (question_count == room) {
            room = room ? room * 2 : 4096;
            questions = realloc(questions, room * sizeof *questions);
            if (questions == NULL)
                fail("memory");
        }
        questions[question_count++] = parse(name, type);
    }
    fclose(lines);
    if (question_count == 0) {
        fprintf(stderr, "flood: no questions in %s\n", file);
        exit(2);
    }
    order_by_length();
}

static struct client open_client(uint32_t source) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 1 << 22, on = 1;
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (bind(sock, (struct sockaddr *)&here, sizeof here) || connect(sock, (struct sockaddr *)&server, sizeof server))
        fail("socket");
    return (struct client){sock, 0, room_for(IDS, sizeof(int64_t))};
}

/* The next question, under an id of the client's, at a time. */
static struct iovec ask(struct client *client, unsigned char *room, int64_t at) {
    const struct question *question = &questions[next_question];
    next_question = next_question + 1 == question_count ? 0 : next_question + 1;
    memcpy(room, question->octets, question->length);
    room[0] = (unsigned char)(client->next >> 8);
    room[1] = (unsigned char)client->next;
    client->sent[client->next++] = at;
    return (struct iovec){room, question->length};
}

/* Up to that many questions of one length, in one call: the kernel cuts it into datagrams (UDP_SEGMENT of udp(7)). */
static void send_flood(struct client *client, int count, int64_t at) {
    static unsigned char room[BATCH * QUESTION];
    union { char octets[CMSG_SPACE(sizeof(uint16_t))]; struct cmsghdr aligned; } control = {0};
    uint16_t length = questions[next_question].length;
    struct iovec pieces = {room, 0};
    int kept = 0;
    for (; kept < count && questions[next_question].length == length; kept++)
        pieces.iov_len += ask(client, room + pieces.iov_len, at).iov_len;
    struct msghdr message = {
        .msg_iov = &pieces, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.octets};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof length);
    memcpy(CMSG_DATA(header), &length, sizeof length);
    if (sendmsg(client->sock, &message, 0) >= 0)
        sent += kept;
}

/* Replies to one socket: their ids, and when the kernel had them. */
static int receive(int sock, uint16_t *ids, int64_t *times) {
    static unsigned char rooms[BATCH][ROOM];
    static char controls[BATCH][64];
    struct iovec pieces[BATCH];
    struct mmsghdr messages[BATCH];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
        pieces[i] = (struct iovec){rooms[i], ROOM};
        messages[i].msg_hdr = (struct msghdr){
            .msg_iov = &pieces[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = sizeof controls[i]};
    }
    int count = recvmmsg(sock, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        struct cmsghdr *control = CMSG_FIRSTHDR(&messages[i].msg_hdr);
        struct timespec at = {0};
        if (control != NULL)
            memcpy(&at, CMSG_DATA(control), sizeof at);
        ids[i] = (uint16_t)(rooms[i][0] << 8 | rooms[i][1]);
        times[i] = at.tv_sec * SECOND + at.tv_nsec;
    }
    return count < 0 ? 0 : count;
}

static void receive_flood(struct client *client, int64_t ends) {
    uint16_t ids[BATCH];
    int64_t times[BATCH];
    int count;
    do {
        count = receive(client->sock, ids, times);
        for (int i = 0; i < count; i++) {
            int64_t took = times[i] - client->sent[ids[i]], bucket = took / 10000;
            if (times[i] >= ends)
                continue; /* what is still queued when the flood ends shows in what the others see */
            answered++;
            histogram[bucket < 0 ? 0 : bucket < BUCKETS ? bucket : BUCKETS - 1]++;
        }
    } while (count == BATCH);
}

static void send_other(int number, int64_t started, int phase) {
    struct client *client = &others[number];
    unsigned char room[QUESTION];
    int64_t at = now();
    if (sample_count == sample_room)
        return;
    samples[sample_count] = (struct sample){(at - started) / 1000, -1, (int8_t)phase};
    asked[number][client->next] = ++sample_count;
    struct iovec piece = ask(client, room, at);
    if (send(client->sock, piece.iov_base, piece.iov_len, 0) < 0)
        perror("send");
}

static void receive_others(int poll) {
    struct epoll_event ready[64];
    uint16_t ids[BATCH];
    int64_t times[BATCH];
    int count = epoll_wait(poll, ready, 64, 0);
    for (int i = 0; i < count; i++) {
        int number = (int)ready[i].data.u32, replies = receive(others[number].sock, ids, times);
        for (int j = 0; j < replies; j++) {
            size_t sample = asked[number][ids[j]];
            if (sample)
                samples[sample - 1].latency = (int32_t)((times[j] - others[number].sent[ids[j]]) / 1000);
        }
    }
}

static int64_t percentile(double part) {
    int64_t before = 0;
    for (int i = 0; i < BUCKETS; i++)
        if ((before += histogram[i]) > answered * part)
            return i * 10 + 10;
    return 0;
}

static void set(const char *argument) {
    const char *value = strchr(argument, '=');
    static const struct { const char *key; int *whole; double *real; } keys[] = {
        {"port=", &port, NULL}, {"sockets=", &socket_count, NULL}, {"sources=", &source_count, NULL},
        {"others=", &other_count, NULL}, {"same=", &same, NULL}, {"calm=", NULL, &calm_s}, {"flood=", NULL, &flood_s},
        {"after=", NULL, &after_s}, {"rate=", NULL, &rate}, {"others_rate=", NULL, &others_rate}};
    if (strncmp(argument, "questions=", 10) == 0) {
        file = value + 1;
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strncmp(argument, keys[i].key, strlen(keys[i].key)) == 0) {
            if (keys[i].whole != NULL)
                *keys[i].whole = atoi(value + 1);
            else
                *keys[i].real = atof(value + 1);
            return;
        }
    fprintf(stderr, "flood: what is %s?\n", argument);
    exit(2);
}

static void check(void) {
    if (file == NULL || port <= 0 || socket_count < 1 || socket_count > MOST_SOCKETS || source_count < 1 ||
        source_count > 250 || other_count < 0 || other_count > MOST_OTHERS || calm_s > 60 || flood_s > 60 ||
        calm_s < 0 || flood_s < 0 || after_s < 0 || after_s > 60 || rate < 0 || others_rate <= 0 || others_rate > 10000) {
        fprintf(stderr, "flood: port and questions are needed, and all within bounds\n");
        exit(2);
    }
}

static double had(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Returns what part of the time it had a core. */
static double run(int poll) {
    double before = had();
    int64_t started = now(), flood_from = started + (int64_t)(calm_s * SECOND),
            flood_to = flood_from + (int64_t)(flood_s * SECOND), ends = flood_to + (int64_t)(after_s * SECOND), at;
    int64_t turns = 0;
    double pause = other_count ? SECOND / others_rate / other_count : 0;
    int turn = 0;
    /* The others are heard out, for as long as an answer may take. */
    while ((at = now()) < ends + LOST_AFTER) {
        if (other_count && at < ends && at >= started + (int64_t)(turns * pause)) {
            send_other((int)(turns % other_count), started, (at >= flood_from) + (at >= flood_to));
            turns++;
        }
        if (at >= flood_from && at < flood_to && sent < MOST_QUERIES) {
            int64_t due = rate > 0 ? (int64_t)((double)(at - flood_from) * rate / SECOND) - sent : BATCH;
            if (due > 0)
                send_flood(&flooders[turn], due < BATCH ? (int)due : BATCH, at);
        }
        receive_flood(&flooders[turn], flood_to);
        turn = turn + 1 == socket_count ? 0 : turn + 1;
        receive_others(poll);
    }
    return (had() - before) * (double)SECOND / (double)(at - started);
}

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++)
        set(arguments[i]);
    check();
    read_questions();
    int poll = epoll_create1(0);
    for (int i = 0; i < socket_count; i++)
        flooders[i] = open_client(INADDR_LOOPBACK + 1 + (uint32_t)(i % source_count));
    for (int i = 0; i < other_count; i++) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        others[i] = open_client(same ? INADDR_LOOPBACK + 1 + (uint32_t)(i % source_count)
                                     : INADDR_LOOPBACK + 256 + (uint32_t)i);
        asked[i] = room_for(IDS, sizeof **asked);
        if (epoll_ctl(poll, EPOLL_CTL_ADD, others[i].sock, &wanted))
            fail("epoll");
    }
    sample_room = (size_t)((calm_s + flood_s + after_s) * others_rate * other_count) + 16;
    samples = room_for(sample_room, sizeof *samples);
    double part = run(poll);
    printf("flood %lld %lld %lld %lld\n", (long long)sent, (long long)answered, (long long)percentile(.5),
           (long long)percentile(.99));
    printf("had %.3f\n", part);
    for (size_t i = 0; i < sample_count; i++)
        printf("other %d %lld %d\n", samples[i].phase, (long long)samples[i].at, samples[i].latency);
    return 0;
}
